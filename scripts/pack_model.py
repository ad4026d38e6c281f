"""Put a final model and all that one needs to use it into one zip."""

from fercv.workflow.jobs import run

from pathlib import Path

from fercv.final.archive import example_code, model_description, write_archive


def main(snakemake):
    """Write <experiment>-<model>.zip."""
    params = snakemake.params
    files = {Path(file).name: Path(file).read_bytes() for file in snakemake.input}
    files["model.json"] = model_description(params.classes, params.image_size, params.mirrored)
    files["example.py"] = example_code(params.onnx).encode()
    write_archive(snakemake.output[0], files)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
