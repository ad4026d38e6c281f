"""A final model and all that one needs to use it, in one zip."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TEMPLATES = Path(__file__).parents[3] / "report"
READABLE = 0o644  # by everybody, where it is unpacked under Unix


def write_archive(path: str | Path, files: Mapping[str, bytes]) -> None:
    """Write files into a zip, in a folder of the zip's name. Equal files give equal bytes.

    They are not compressed: weights hardly get smaller.

    Args:
        path: of the zip.
        files: their contents by their names.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{Path(path).stem}/{name}")  # Its date is the first one that the format knows.
            entry.external_attr = READABLE << 16
            archive.writestr(entry, content)


def model_description(classes: Sequence[str], image_size: Sequence[int], mirrored: bool) -> bytes:
    """What a program must know of a model to use it, as JSON.

    Args:
        classes: the names of the classes, in the order of the probabilities.
        image_size: height and width.
        mirrored: whether the probabilities of model.keras are to be averaged over an image and its mirror image. Those
            of model.onnx are already.
    """
    about = {"classes": list(classes), "image_size": list(image_size), "mirrored_prediction": mirrored}
    return f"{json.dumps(about, indent=2, ensure_ascii=False)}\n".encode()


def example_code(with_onnx: bool) -> str:
    """A short program that uses the model: by ONNX Runtime alone if there is an ONNX file, else by Keras alone."""
    return (TEMPLATES / f"example_{'onnx' if with_onnx else 'keras'}.py").read_text(encoding="utf-8")
