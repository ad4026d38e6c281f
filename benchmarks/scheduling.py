"""What Snakemake's looks for jobs to start cost, with its timers and without them.

`python benchmarks/scheduling.py` runs the same workflow with and without `look_for_jobs_when_some_end`: 120 jobs that
wait for 2 seconds, two at a time, as short as the demo's. Nothing is trained. It prints seconds of processor time of
Snakemake and of the jobs' shells together, as other work on the machine blurs them less than the time on the clock.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
SNAKEFILE = """
import sys

sys.path.insert(0, {scripts!r})
from fercv.workflow.scheduling import look_for_jobs_when_some_end

NAMES = [str(number) + ".txt" for number in range(120)]


rule all:
    input: NAMES


rule one:
    input: "a", "b", "c"
    output: "{{name}}.txt"
    shell: "sleep 2; touch {{output}}"


onstart:
    {hook}
"""
WAYS = {
    "as Snakemake does it": "pass",
    "a look when jobs have ended": "look_for_jobs_when_some_end(workflow.scheduler)",
}


def main():
    """Print a row for each way."""
    print("| looks for jobs | s |")
    print("|---|---|")
    for name, hook in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Snakefile").write_text(SNAKEFILE.format(scripts=str(SCRIPTS), hook=hook), encoding="utf-8")
            for file in "abc":
                Path(folder, file).touch()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"| {name} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
