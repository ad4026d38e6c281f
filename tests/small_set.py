"""A small labelled set in every form that the readers take, and how tests read it."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from fercv.data.reading import read_dataset
from fercv.workflow.errors import InputError

CLASSES = ["angry", "happy", "sad"]
SIZE = (4, 3)


class Face:
    """One sample of the made set."""

    def __init__(self, number, label, usage):
        self.number, self.label, self.usage = number, label, usage
        self.pixels = np.random.default_rng(number).integers(0, 256, SIZE, dtype=np.uint8)

    @property
    def text(self):
        return " ".join(map(str, self.pixels.ravel()))

    @property
    def name(self):
        split = "train" if self.usage == "Training" else "test"
        return f"{split}/{CLASSES[self.label]}/{self.usage}_{self.number}.png"


# Numbers 2, 10 and 9 of a class tell natural from alphabetical order.
FACES = [
    Face(number, label, usage)
    for number, label, usage in [
        (10, 1, "Training"), (1, 2, "Training"), (2, 1, "Training"), (3, 0, "PublicTest"), (4, 0, "Training"),
        (5, 2, "PrivateTest"), (9, 1, "Training"), (6, 1, "PublicTest"),
    ]
]  # fmt: skip


def png(pixels, **keywords):
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(buffer, "PNG", **keywords)
    return buffer.getvalue()


def kaggle_csv(faces=FACES):
    return "emotion,pixels,Usage\n" + "".join(f"{face.label},{face.text},{face.usage}\n" for face in faces)


def write_folder(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_text(folder, text, name="set.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def face_files(faces=FACES):
    return {face.name: png(face.pixels) for face in faces}


def one_of_each_class(**more):
    """The files of class folders, one image in each, and the files that the test adds: {name: content}."""
    return {f"{name}/{label}.png": png(FACES[label].pixels) for label, name in enumerate(CLASSES)} | more


def read(path, size=SIZE):
    return read_dataset(path, CLASSES, size)


def refusal(path, size=SIZE, classes=CLASSES):
    """The message that refuses a source. It must be one line and name the source."""
    with pytest.raises(InputError) as caught:
        read_dataset(path, classes, size)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and len(message) < 600
    return message
