import subprocess
import sys

import pytest
from helpers import REPOSITORY

SNAKEFILE = f"""
import sys

sys.path.insert(0, {str(REPOSITORY / "scripts")!r})

from fercv.workflow.scheduling import look_for_jobs_when_some_end

NAMES = [str(number) + ".txt" for number in range(16)]


rule all:
    input: NAMES


rule one:
    output: "{{name}}.txt"
    shell: "sleep 0.4; touch {{output}}"


onstart:
    look_for_jobs_when_some_end(workflow.scheduler)
    select = workflow.scheduler.job_selector

    def counted(jobs):
        print("a look for jobs", flush=True)
        return select(jobs)

    workflow.scheduler.job_selector = counted
"""


@pytest.mark.parametrize(("options", "rare"), [([], True), (["--max-jobs-per-timespan", "50/1s"], False)])
def test_snakemake_looks_for_jobs_once_for_each_job_unless_the_user_sets_a_limit(tmp_path, options, rare):
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    # 16 jobs and the target; the second case has series of timers on top.
    assert (done.stdout.count("a look for jobs") <= 20) == rare
    assert len(list(tmp_path.glob("*.txt"))) == 16
