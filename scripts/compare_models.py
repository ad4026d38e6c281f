"""Compare the models fold by fold."""

from fercv.workflow.jobs import run

from fercv.data.tables import METRICS, read_table, write_table
from fercv.evaluate.intervals import compare


def main(snakemake):
    """Write comparison.csv: first the measures of each model, then the paired differences of each pair of models."""
    files = zip(snakemake.params.models, snakemake.input.metrics, strict=True)
    metrics = {model: read_table(path, METRICS) for model, path in files}
    write_table(compare(metrics), snakemake.output.comparison)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
