"""Draw the largest groups of equal images, contradicting labels, and the nearest pairs that are not quite equal."""

from fercv.workflow.jobs import run

from fercv.data.arrays import open_images
from fercv.data.tables import AUDIT, SAMPLES, read_table
from fercv.figures.data import TILES, ImageGroup, audit_figure
from fercv.figures.drawing import save_figure

# {kind of finding: (heading, what they are, how many are shown)}
SHOWN = {
    "conflicting_labels": ("Equal images with different labels", "groups", 6),
    "exact_duplicates": ("Equal images with the same label, the largest groups", "groups", 4),
    "near_duplicates": ("Nearly equal images, the nearest pairs", "pairs", 6),
}


def main(snakemake):
    """Write audit.png."""
    classes = snakemake.params.classes
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    images = open_images(snakemake.input.images, len(samples))
    findings = read_table(snakemake.input.audit, AUDIT)
    labels = [classes[label] for label in samples["label"]]
    sections = {}
    for kind, (heading, what, number) in SHOWN.items():
        found = findings_of(kind, findings)
        groups = [group_of(finding, images, labels) for finding in found.head(number).itertuples()]
        first = f", {number} of them shown" if len(found) > number else ""
        sections[f"{heading}: {len(found):,} {what}{first}" if groups else heading] = groups
    height, width = images.shape[1:]
    save_figure(audit_figure(sections, f"Audit of {len(images):,} images", height / width), *snakemake.output)


def findings_of(kind, findings):
    """The findings of a kind. Groups whose labels contradict each other are none of the kind exact_duplicates here."""
    found = findings[findings["kind"] == kind]
    if kind != "exact_duplicates":
        return found
    return found[~found["indices"].isin(findings.loc[findings["kind"] == "conflicting_labels", "indices"])]


def group_of(finding, images, labels):
    """The images of a finding, as many as a row of the picture holds."""
    rows = [int(index) for index in finding.indices.split()[:TILES]]
    if finding.kind == "near_duplicates":
        heading = f"distance {finding.distance:g}"
    else:
        heading = f"{finding.samples:,} images" + (f", {len(rows)} shown" if finding.samples > len(rows) else "")
    return ImageGroup(heading, images[rows], [labels[row] for row in rows], rows)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
