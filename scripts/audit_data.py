"""Look for copies of images, contradicting labels, blank images, and leaks between training and test."""

from fercv.workflow.jobs import run

import logging

from fercv.data.arrays import open_images
from fercv.data.audit import audit
from fercv.data.tables import FOLDS, SAMPLES, read_table, write_table

log = logging.getLogger("fercv")


def main(snakemake):
    """Write audit.csv; warn if a model is validated on exact copies of what it was trained on."""
    classes, names = snakemake.params.classes, snakemake.params.folds
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    folds = read_table(snakemake.input.folds, FOLDS, below={"index": len(samples), "fold": len(names)})
    findings = audit(open_images(snakemake.input.images, len(samples)), samples, folds, classes, names)
    exact = findings[(findings["kind"] == "leak_of_folds") & findings["distance"].isna()].iloc[0]
    if exact["samples"]:
        log.warning("%s; set folds.group_duplicates: true", exact["finding"])
    write_table(findings, snakemake.output.audit)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
