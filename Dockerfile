# Runs the demo, or whatever options of Snakemake follow, in a container. It was not tried yet: no machine with Docker was
# at hand. The results stay outside with a volume:
#
#     docker build -t fer-crossval .
#     docker run --rm -v "$PWD/results:/fer-crossval/results" fer-crossval
FROM python:3.12-slim
WORKDIR /fer-crossval
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
ENTRYPOINT ["snakemake", "--cores", "all"]
