"""Write Keras' own summary of a model."""

from fercv.workflow.jobs import run

from pathlib import Path

from fercv.engine.setup import set_up
from fercv.nets.models import build_model, summary_text
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write architecture.txt."""
    set_up(seed=0, **resources_of(snakemake))
    params = snakemake.params
    model = build_model(params.architecture, (*params.image_size, 1), len(params.classes), params.settings)
    Path(snakemake.output[0]).write_text(summary_text(model), encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
