"""Slurm's commands in the pages work. tests/workflow/test_documentation.py checks all other commands."""

import subprocess

import pytest
from pages import SLURM, commands


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [command for command in commands() if command.program in SLURM], ids=lambda command: command.text
)
def test_a_command_of_slurm_in_a_page_works(cluster, command):
    # With --test-only Slurm checks the job and does not submit it.
    line = command.line.replace("sbatch ", "sbatch --test-only ")
    done = subprocess.run(line, shell=True, env=cluster.environment, capture_output=True, text=True)
    if command.program == "sacctmgr":
        # The cluster keeps no accounts.
        assert "Only 'accounting_storage/slurmdbd' is supported" in done.stdout + done.stderr
    else:
        assert done.returncode == 0, done.stderr
