"""Write Keras' own summary of a model."""

from pathlib import Path

from fercv import backend, jobs
from fercv.architectures import build_model


def main(snakemake):
    """Write architecture.txt."""
    backend.take_gpu(jobs.job_name(snakemake), jobs.jobs_per_gpu(snakemake))
    backend.configure(snakemake.threads, seed=0)
    params = snakemake.params
    model = build_model(params.architecture, (*params.image_size, 1), len(params.classes), params.settings)
    lines = []
    model.summary(line_length=110, print_fn=lines.append)
    Path(snakemake.output[0]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
