"""Write a final model as an ONNX file."""

from fercv.workflow.jobs import run

from pathlib import Path

from fercv.engine.setup import set_up
from fercv.final.export import export_onnx
from fercv.nets.models import load_model
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write model.onnx."""
    params = snakemake.params
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    model = load_model(snakemake.input.model, params.architecture, len(params.classes), tuple(params.image_size))
    export_onnx(model, Path(snakemake.output[0]), tuple(params.image_size), params.mirrored)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
