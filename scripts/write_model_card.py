"""Write the model card of a final model."""

from fercv.workflow.jobs import run

from pathlib import Path

from fercv.final.card import render_card


def main(snakemake):
    """Write README.md."""
    settings = snakemake.params.settings | {
        "model": snakemake.wildcards.model,
        "definition": snakemake.params.definition,
        "onnx": snakemake.params.onnx,
    }
    card = render_card(Path(snakemake.input.summary).parent, settings)
    Path(snakemake.output[0]).write_text(card, encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
