"""Write Keras' own summary of a model."""

from pathlib import Path

from fercv.engine.setup import set_up
from fercv.nets.models import build_model
from fercv.workflow import jobs


def main(snakemake):
    """Write architecture.txt."""
    set_up(seed=0, **jobs.resources(snakemake))
    params = snakemake.params
    model = build_model(params.architecture, (*params.image_size, 1), len(params.classes), params.settings)
    lines = []
    model.summary(line_length=110, print_fn=lines.append)
    Path(snakemake.output[0]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
