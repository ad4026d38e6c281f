"""Make the page that shows all results of an experiment."""

from fercv.workflow.jobs import run

import os
from pathlib import Path

from fercv.report.computed import Experiment
from fercv.report.page import render_page


def main(snakemake):
    """Write report.html."""
    output = Path(snakemake.output[0])
    files = [os.path.relpath(path, output.parent) for path in snakemake.input.shown]
    experiment = Experiment(output.parent, files, snakemake.params.settings, snakemake.params.folds)
    output.write_text(render_page(experiment, snakemake.threads), encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
