"""Readers: the same set in every form gives the same arrays, and every bad file one line that says what to mend."""

import gzip
import io
import logging
import os
import re
import stat
import subprocess
import sys
import zipfile
import zlib
from collections import Counter

import numpy as np
import pytest
from helpers import REPOSITORY
from PIL import Image

from fercv.data.csv_files import read_csv
from fercv.data.image_files import read_folder, read_zip
from fercv.data.reading import duplicate_groups, read_dataset
from fercv.data.sources import IMAGE_SUFFIXES, natural_key, source_files
from fercv.data.tables import USAGES
from fercv.workflow.errors import InputError

CLASSES = ["angry", "happy", "sad"]
SIZE = (4, 3)
REAL = REPOSITORY.parent / "shared" / "data" / "fer2013-images.zip"
REAL_CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


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


def course_csv(faces=FACES):
    return "label,feature\n" + "".join(f"{face.label},{face.text}\n" for face in faces)


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
    """A bare class folder with an image for each class, and what the test adds."""
    return {f"{name}/{label}.png": png(FACES[label].pixels) for label, name in enumerate(CLASSES)} | more


def read(path, size=SIZE):
    return read_dataset(path, CLASSES, size)


def rows(dataset):
    """The samples as a multiset of (pixels, label, usage)."""
    return Counter(
        (image.tobytes(), label, usage)
        for image, label, usage in zip(dataset.images, dataset.samples["label"], dataset.samples["usage"], strict=True)
    )


def refusal(path, size=SIZE, classes=CLASSES):
    """The one line with which a source is refused, which must name the source."""
    with pytest.raises(InputError) as caught:
        read_dataset(path, classes, size)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and len(message) < 600
    return message


# The same set in every form


def test_kaggle_csv_gives_the_pixels_labels_and_usages_in_file_order(tmp_path):
    images, samples = read(write_text(tmp_path, kaggle_csv()))
    assert images.dtype == np.uint8 and images.shape == (8, *SIZE)
    np.testing.assert_array_equal(images, [face.pixels for face in FACES])
    assert samples["label"].dtype == np.int64
    assert list(samples["label"]) == [face.label for face in FACES]
    assert list(samples["usage"]) == [face.usage for face in FACES]
    assert list(samples["source"]) == [f"row {number}" for number in range(1, 9)]


def test_csv_gzip_folder_and_zip_give_the_same_samples(tmp_path):
    text = kaggle_csv()
    from_csv = read_csv(write_text(tmp_path, text), CLASSES, SIZE)
    zipped = read_csv(write_text(tmp_path, gzip.compress(text.encode()), "set.csv.gz"), CLASSES, SIZE)
    folder = read_folder(write_folder(tmp_path / "faces", face_files()), CLASSES, SIZE)
    archive = read_zip(write_zip(tmp_path / "set.zip", face_files()), CLASSES, SIZE)
    np.testing.assert_array_equal(zipped.images, from_csv.images)
    assert zipped.samples.equals(from_csv.samples)
    np.testing.assert_array_equal(archive.images, folder.images)
    assert archive.samples.equals(folder.samples)
    assert rows(folder) == rows(from_csv)


def test_course_csv_has_no_usage(tmp_path):
    for name, data in (("course.csv", course_csv().encode()), ("course.csv.gz", gzip.compress(course_csv().encode()))):
        images, samples = read(write_text(tmp_path, data, name))
        np.testing.assert_array_equal(images, [face.pixels for face in FACES])
        assert list(samples["label"]) == [face.label for face in FACES]
        assert set(samples["usage"]) == {""}


def test_gzip_is_known_by_content_not_by_name(tmp_path):
    path = write_text(tmp_path, gzip.compress(kaggle_csv().encode()), "set.csv")
    assert len(read(path).images) == 8


def test_a_path_may_be_text_for_every_reader(tmp_path):
    write_text(tmp_path, kaggle_csv())
    write_zip(tmp_path / "set.zip", face_files())
    write_folder(tmp_path / "faces", face_files())
    for reader, name in ((read_csv, "set.csv"), (read_zip, "set.zip"), (read_folder, "faces"), (read_dataset, "faces")):
        assert len(reader(str(tmp_path / name), CLASSES, SIZE).images) == 8


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text + "\n\n", id="blank last lines"),
        pytest.param(lambda text: text.rstrip("\n"), id="no last line end"),
        pytest.param(lambda text: re.sub("([^,\n]+)", r'"\1"', text), id="quoted fields"),
        pytest.param(lambda text: text.replace("pixels,Usage", " pixels, Usage"), id="spaces in the header"),
        pytest.param(lambda text: text.replace("emotion,pixels,Usage", "LABEL,feature,usage"), id="other names"),
        pytest.param(
            lambda text: "\n".join(",".join(reversed(row.split(","))) for row in text.splitlines()),
            id="other column order",
        ),
        pytest.param(
            lambda text: "\n".join(f"{number},{row}" for number, row in enumerate(text.splitlines())),
            id="a further column",
        ),
        pytest.param(lambda text: re.sub("(?<=[0-9]) (?=[0-9])", "  ", text), id="two spaces between pixels"),
    ],
)
def test_harmless_variants_of_a_csv_read_the_same(tmp_path, change):
    images, samples = read(write_text(tmp_path, change(kaggle_csv())))
    np.testing.assert_array_equal(images, [face.pixels for face in FACES])
    assert list(samples["usage"]) == [face.usage for face in FACES]


def test_a_csv_longer_than_the_first_array_keeps_every_row(tmp_path):
    faces = [Face(number, number % 3, "Training") for number in range(5000)]
    images, samples = read(write_text(tmp_path, kaggle_csv(faces)))
    np.testing.assert_array_equal(images, [face.pixels for face in faces])
    assert list(samples["label"]) == [face.label for face in faces]
    owner = images if images.base is None else images.base
    assert owner.nbytes == images.size  # what was reserved for growing is given back


def test_a_csv_may_hold_large_images(tmp_path):
    pixels = np.random.default_rng(0).integers(100, 256, (300, 200), dtype=np.uint8)
    text = f"label,pixels\n0,{' '.join(map(str, pixels.ravel()))}\n"
    np.testing.assert_array_equal(read(write_text(tmp_path, text), pixels.shape).images, [pixels])


# Order, usage and class of folders and zips


def test_order_is_usage_then_class_then_path_with_numbers_as_numbers(tmp_path):
    files = face_files() | {"happy/7.png": png(FACES[0].pixels), "test/sad/x.png": png(FACES[1].pixels)}
    samples = read(write_zip(tmp_path / "set.zip", files)).samples
    assert list(samples["source"]) == [
        "happy/7.png",
        "train/angry/Training_4.png",
        "train/happy/Training_2.png",
        "train/happy/Training_9.png",
        "train/happy/Training_10.png",
        "train/sad/Training_1.png",
        "test/angry/PublicTest_3.png",
        "test/happy/PublicTest_6.png",
        "test/sad/PrivateTest_5.png",
        "test/sad/x.png",
    ]
    assert list(dict.fromkeys(samples["usage"])) == ["", *USAGES]


def test_order_of_zip_entries_plays_no_role(tmp_path):
    forward = read(write_zip(tmp_path / "forward.zip", face_files()))
    backward = read(write_zip(tmp_path / "backward.zip", dict(reversed(face_files().items()))))
    assert forward.samples.equals(backward.samples)
    np.testing.assert_array_equal(forward.images, backward.images)


@pytest.mark.parametrize("names", [["a10", "a9", "a09", "b", "B", "é", "a"], ["7/x", "x/7", "70", "x/" + "9" * 5000]])
def test_natural_order_is_total_and_does_not_depend_on_the_start(names):
    ordered = sorted(names, key=natural_key)
    backward = names[::-1]
    assert sorted(backward, key=natural_key) == ordered
    assert len({str(natural_key(name)) for name in names}) == len(names)


def test_natural_order_compares_numbers_by_value_and_letters_by_code_point():
    names = ["face10", "face9", "Face11", "face009b", "é1", "z1"]
    assert sorted(names, key=natural_key) == ["Face11", "face009b", "face9", "face10", "z1", "é1"]


@pytest.mark.parametrize(
    "name, usage",
    [
        ("train/happy/1.png", "Training"),
        ("train/happy/PublicTest_1.png", "Training"),
        ("test/happy/1.png", "Test"),
        ("test/happy/PublicTest_1.png", "PublicTest"),
        ("test/happy/PrivateTest_1.png", "PrivateTest"),
        ("test/happy/Training_1.png", "Test"),
        ("happy/Training_1.png", "Training"),
        ("happy/PrivateTest_1.png", "PrivateTest"),
        ("happy/Training.png", ""),
        ("happy/1.png", ""),
        ("Train/HAPPY/1.PNG", "Training"),
        ("test/1/1.png", "Test"),
        ("happy/by_ann/1.png", ""),
    ],
)
def test_usage_and_class_follow_from_the_path(tmp_path, name, usage):
    folder = write_folder(tmp_path / "faces", one_of_each_class(**{name: png(FACES[0].pixels)}))
    samples = read(folder).samples.set_index("source")
    assert samples.loc[name, "usage"] == usage
    assert CLASSES[samples.loc[name, "label"]] == "happy"


def test_a_class_name_that_is_a_number_wins_over_label_numbers(tmp_path):
    files = {"1/a.png": png(FACES[0].pixels), "2/a.png": png(FACES[1].pixels)}
    samples = read_dataset(write_folder(tmp_path / "digits", files), ["1", "2"], SIZE).samples
    assert dict(zip(samples["source"], samples["label"], strict=True)) == {"1/a.png": 0, "2/a.png": 1}


@pytest.mark.parametrize("wrapping", ["fer2013/", "a/b/"])
def test_wrapping_folders_change_only_the_source(tmp_path, wrapping):
    plain = read(write_zip(tmp_path / "plain.zip", face_files()))
    wrapped = read(write_zip(tmp_path / "w.zip", {wrapping + name: data for name, data in face_files().items()}))
    np.testing.assert_array_equal(wrapped.images, plain.images)
    assert list(wrapped.samples["usage"]) == list(plain.samples["usage"])
    assert list(wrapped.samples["source"]) == [wrapping + name for name in plain.samples["source"]]


def test_files_of_macos_and_hidden_files_are_left_out_in_silence(tmp_path, caplog):
    extra = {
        "__MACOSX/train/happy/1.png": b"x",
        "train/happy/.hidden.png": b"x",
        ".thumbnails/happy/1.png": b"x",
        "train/.cache/1.png": b"x",
    }
    assert len(read(write_zip(tmp_path / "set.zip", face_files() | extra)).images) == 8
    del extra["__MACOSX/train/happy/1.png"]
    assert len(read(write_folder(tmp_path / "faces", face_files() | extra)).images) == 8
    assert not caplog.records


def test_backslashes_of_windows_separate_folders(tmp_path):
    files = {name.replace("/", "\\"): data for name, data in face_files().items()}
    path = write_zip(tmp_path / "windows.zip", files)
    assert list(read(path).samples["source"]) == list(
        read(write_zip(tmp_path / "plain.zip", face_files())).samples["source"]
    )


def test_files_that_are_no_images_are_counted_in_one_warning(tmp_path, caplog):
    extra = {"train/happy/notes.txt": b"x", "train/happy/Thumbs.db": b"x", "README.md": b"x"}
    for path in (
        write_folder(tmp_path / "faces", face_files() | extra),
        write_zip(tmp_path / "set.zip", face_files() | extra),
    ):
        caplog.clear()
        assert len(read(path).images) == 8
        (record,) = caplog.records
        assert record.levelno == logging.WARNING and record.name == "fercv"
        assert ": 3," in record.getMessage() and str(path) in record.getMessage()


# Conversion


def decoded(tmp_path, image, size=SIZE, **keywords):
    """What an image (or a file's bytes) becomes, read from a class folder."""
    data = image if isinstance(image, bytes) else png(image, **keywords)
    write_folder(tmp_path / "faces", one_of_each_class(**{"happy/odd.png": data}))
    dataset = read(tmp_path / "faces", size)
    return dataset.images[list(dataset.samples["source"]).index("happy/odd.png")]


def test_colour_becomes_luma_and_one_line_counts_the_converted(tmp_path, caplog):
    colour = Image.new("RGB", (3, 4), (255, 0, 0))
    larger = Image.new("L", (6, 8), 90)
    files = one_of_each_class(**{"sad/c.png": png(colour), "sad/d.png": png(colour), "happy/l.png": png(larger)})
    images, samples = read(write_folder(tmp_path / "faces", files))
    assert (images[list(samples["source"]).index("sad/c.png")] == 76).all()  # 0.299 x 255
    assert (images[list(samples["source"]).index("happy/l.png")] == 90).all()
    (record,) = caplog.records
    assert "2 of 6 images were converted" in record.getMessage() and "1 resized to 3x4" in record.getMessage()


def test_images_that_fit_are_taken_as_they_are_without_a_word(tmp_path, caplog):
    np.testing.assert_array_equal(decoded(tmp_path, FACES[0].pixels), FACES[0].pixels)
    assert not caplog.records


def test_transparency_lies_on_white(tmp_path):
    image = Image.new("RGBA", (3, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    grey = decoded(tmp_path, image)
    assert grey[0, 0] == 0 and (grey.ravel()[1:] == 255).all()


def test_a_palette_with_transparency_lies_on_white(tmp_path):
    image = Image.new("P", (3, 4), 1)
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.putpixel((0, 0), 0)
    assert (decoded(tmp_path, image, transparency=0) == 255).all()


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    values = np.arange(12, dtype=np.uint16).reshape(SIZE) * 20
    np.testing.assert_array_equal(decoded(tmp_path, values * 257), values)
    np.testing.assert_array_equal(decoded(tmp_path, values * 256), values)


def test_the_camera_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    upright = decoded(tmp_path, np.rot90(FACES[0].pixels).copy(), exif=exif)
    np.testing.assert_array_equal(upright, FACES[0].pixels)


def test_an_animation_gives_its_first_frame(tmp_path):
    buffer = io.BytesIO()
    frames = [Image.new("L", (3, 4), grey) for grey in (10, 200)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert (decoded(tmp_path, buffer.getvalue()) == 10).all()


FORMAT_OF = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "MPO", ".bmp": "BMP", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF",
    ".webp": "WEBP", ".pgm": "PPM",
}  # fmt: skip


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_kind_of_image_is_read_whatever_its_name_says(tmp_path, suffix):
    buffer = io.BytesIO()
    image = Image.new("L", (3, 4), 90)
    more = {"save_all": True, "append_images": [image]} if FORMAT_OF[suffix] == "MPO" else {}
    image.save(buffer, FORMAT_OF[suffix], **more)
    data = buffer.getvalue()
    assert (Image.open(buffer).format == FORMAT_OF[suffix]) and abs(decoded(tmp_path, data).astype(int) - 90).max() < 3
    files = one_of_each_class(**{f"happy/odd{suffix}": data})
    assert len(read(write_zip(tmp_path / "set.zip", files)).images) == 4


def test_cmyk_and_bilevel_become_grey(tmp_path):
    buffer = io.BytesIO()
    Image.new("CMYK", (3, 4), (0, 0, 0, 255)).save(buffer, "JPEG")
    assert decoded(tmp_path, buffer.getvalue()).max() < 5
    assert (decoded(tmp_path, Image.new("1", (3, 4), 1)) == 255).all()


def test_height_comes_before_width(tmp_path):
    assert read(write_folder(tmp_path / "faces", face_files()), (5, 7)).images.shape == (8, 5, 7)


# Refusals: csv


@pytest.mark.parametrize(
    "text, found",
    [
        ("", "empty"),
        ("emotion,pixels,Usage\n", "no rows"),
        ("emotion,Usage\n0,Training\n", "pixels or feature.*'emotion,Usage'"),
        ("class,pixels\n0,1\n", "emotion or label.*'class,pixels'"),
        ("0,1 2 3\n", "emotion or label"),
        ("label,label,pixels\n0,0,1\n", "2 columns named emotion or label"),
        ("label,pixels,feature\n0,1,1\n", "2 columns named pixels or feature"),
        ("label,pixels,Usage, usage\n0,1,Training,Training\n", "2 columns named usage"),
        ("label,pixels\n0\n", "row 1 has 1 fields, expected 2"),
        ("label,pixels\n0,1,2\n", "row 1 has 3 fields, expected 2"),
        ("label,pixels\nhappy,1\n", "row 1 has the label 'happy'.*0 to 2"),
        ("label,pixels\n3,1\n", "row 1 has the label '3'.*0 to 2"),
        ("label,pixels\n-1,1\n", "label '-1'"),
        ("label,pixels\n1.0,1\n", "label '1.0'"),
        ("label,pixels\n,1\n", "label ''"),
        ("label,pixels,Usage\n0,1,Trainig\n", "usage 'Trainig'.*did you mean 'Training'"),
    ],
)  # fmt: skip
def test_bad_csv_is_refused(tmp_path, text, found):
    assert re.search(found, refusal(write_text(tmp_path, text)))


@pytest.mark.parametrize(
    "pixels, found",
    [
        ("1 2 3", "row 2 has 3 pixels, expected 4 x 3 = 12"),
        ("", "row 2 has 0 pixels"),
        ("  ", "row 2 has 0 pixels"),
        ("0 " * 13, "row 2 has 13 pixels"),
        ("256" + " 0" * 11, "row 2 has the pixel '256'.*0 to 255"),
        ("0000256" + " 0" * 11, "row 2 has the pixel '0000256'"),
        ("99999999999999999999" + " 0" * 11, "pixel '99999999999999999999'"),
        ("-1" + " 0" * 11, "pixel '-1'"),
        ("1-0" + " 0" * 10, "pixel '1-0'"),
        ("1.5" + " 0" * 11, "pixel '1.5'"),
        ("x" + " 0" * 11, "pixel 'x'"),
        ("nan" + " 0" * 11, "pixel 'nan'"),
        ("1_0" + " 0" * 11, "pixel '1_0'"),
        ("\u0663" + " 0" * 11, "row 2 has the pixel"),
        ("0\xa00" + " 0" * 10, "row 2 has the pixel"),
        ("0\x000" + " 0" * 11, "row 2 has the pixel"),
        ("0 " * 12 + "x", "pixel 'x'"),
        ('"0,0"', "pixel '0,0'"),
    ],
)  # fmt: skip
def test_bad_pixels_are_refused_with_their_row(tmp_path, pixels, found):
    good = f"0,{FACES[0].text}\n"
    assert re.search(found, refusal(write_text(tmp_path, f"label,feature\n{good}1,{pixels}\n")))


def test_leading_zeros_are_numbers(tmp_path):
    images, _ = read(write_text(tmp_path, "label,pixels\n0,007" + " 0" * 11 + "\n"))
    assert images[0, 0, 0] == 7


def test_a_cut_off_gzip_is_refused(tmp_path):
    whole = gzip.compress(kaggle_csv([Face(number, 0, "Training") for number in range(300)]).encode())
    for data in (whole[:-4], whole[: len(whole) // 2], whole[:12], whole[:-8] + b"\0" * 8):
        assert "damaged gzip" in refusal(write_text(tmp_path, data, "set.csv.gz"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_refused(tmp_path, encoding):
    text = kaggle_csv() + "0,é,Training\n"
    assert re.search("UTF-8|in the header", refusal(write_text(tmp_path, text.encode(encoding))))


def test_an_unclosed_quote_is_refused(tmp_path):
    refusal(write_text(tmp_path, kaggle_csv().replace("1,", '1,"', 1)))
    assert "line" in refusal(write_text(tmp_path, 'label,pixels\n0,"' + "0 " * 5_000_001))


def test_other_files_are_refused(tmp_path):
    assert "neither csv" in refusal(write_text(tmp_path, png(FACES[0].pixels), "face.png"))
    assert "no such file" in refusal(tmp_path / "missing.csv")
    assert "empty" in refusal(write_text(tmp_path, b"", "set.csv.gz"))
    assert "no zip" in refusal(write_text(tmp_path, b"", "set.zip"))
    assert "no zip" in refusal(write_text(tmp_path, kaggle_csv(), "set.zip"))


# Refusals: folders, zips and images


def test_an_unknown_class_is_refused_with_the_likeliest_and_the_list(tmp_path):
    message = refusal(write_folder(tmp_path / "faces", one_of_each_class(**{"hapy/1.png": png(FACES[0].pixels)})))
    assert "'hapy'" in message and "did you mean 'happy'?" in message and "angry, happy, sad" in message


def test_an_unknown_class_that_stands_alone_is_not_taken_for_a_wrapping_folder(tmp_path):
    assert "'hapy'" in refusal(write_folder(tmp_path / "faces", {"hapy/1.png": png(FACES[0].pixels)}))


def test_of_several_mistakes_the_first_by_path_is_reported(tmp_path):
    files = one_of_each_class(**{f"{name}/1.png": png(FACES[0].pixels) for name in ("worse", "bad", "wrong")})
    for order in (files, dict(reversed(files.items()))):
        assert "'bad'" in refusal(write_zip(tmp_path / "set.zip", order))


@pytest.mark.parametrize("number", ["3", "-1", "01"])
def test_a_folder_number_that_is_no_label_is_refused(tmp_path, number):
    files = one_of_each_class(**{f"{number}/1.png": png(FACES[0].pixels)})
    assert "is no class" in refusal(write_folder(tmp_path / "faces", files))


def test_a_class_without_images_is_refused(tmp_path):
    files = {"angry/1.png": png(FACES[0].pixels), "sad/1.png": png(FACES[0].pixels), "happy/notes.txt": b"x"}
    assert "no image of the class 'happy'" in refusal(write_folder(tmp_path / "faces", files))


@pytest.mark.parametrize("wrapping", ["", "fer2013/"])
@pytest.mark.parametrize("name", ["1.png", "train/1.png"])
def test_an_image_outside_the_class_folders_is_refused(tmp_path, wrapping, name):
    files = {wrapping + inner: data for inner, data in (face_files() | {name: png(FACES[0].pixels)}).items()}
    for order in (files, dict(reversed(files.items()))):
        message = refusal(write_zip(tmp_path / "set.zip", order))
        assert f"'{wrapping}{name}' is in no class folder" in message


def test_no_image_at_all_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no image found" in refusal(tmp_path / "empty")
    assert "no image found" in refusal(write_zip(tmp_path / "set.zip", {"happy/notes.txt": b"x"}))


def bomb(side):
    """A PNG that declares side x side pixels in a few bytes."""
    data = bytearray(png(FACES[0].pixels))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "data, found",
    [
        (b"", "no image that can be read"),
        (b"not an image", "no image that can be read"),
        (png(FACES[0].pixels)[:-30], "damaged"),
        (png(FACES[0].pixels)[:20], "no image|damaged"),
        (bomb(10_000), "too many pixels"),
        (bomb(20_000), "too many pixels"),
    ],
    ids=["zero bytes", "text", "truncated", "only a header", "100 megapixels", "400 megapixels"],
)
def test_a_broken_image_is_refused_by_name(tmp_path, data, found):
    files = one_of_each_class(**{"sad/broken.png": data})
    for path in (write_folder(tmp_path / "faces", files), write_zip(tmp_path / "set.zip", files)):
        message = refusal(path)
        assert "'sad/broken.png'" in message and re.search(found, message)


def test_no_other_format_is_tried_under_the_name_of_an_image(tmp_path):
    """Pillow would have Ghostscript run what a PostScript file says."""
    buffer = io.BytesIO()
    Image.new("L", (3, 4), 90).save(buffer, "EPS")
    assert Image.open(buffer).format == "EPS"
    files = one_of_each_class(**{"sad/program.png": buffer.getvalue()})
    for path in (write_folder(tmp_path / "faces", files), write_zip(tmp_path / "set.zip", files)):
        assert "'sad/program.png' is no image that can be read" in refusal(path)


def test_fractions_are_refused(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.full(SIZE, 0.5, np.float32)).save(buffer, "TIFF")
    assert "fractions" in refusal(
        write_folder(tmp_path / "faces", one_of_each_class(**{"sad/f.tif": buffer.getvalue()}))
    )


@pytest.mark.parametrize(
    "name", ["/happy/1.png", "../happy/1.png", "happy/../../1.png", "..\\happy\\1.png", "../x.txt"]
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    assert "leads out" in refusal(write_zip(tmp_path / "set.zip", face_files() | {name: png(FACES[0].pixels)}))


def test_links_in_a_zip_are_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("train/happy/passwords.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "'train/happy/passwords.png' is a link" in refusal(path)


def test_encrypted_entries_are_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"happy/1.png": png(FACES[0].pixels)})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "without a password" in refusal(path)


def test_an_entry_twice_in_a_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(FACES[0].name, png(FACES[1].pixels))
    assert "twice" in refusal(path)


def test_the_checksum_of_a_zip_is_verified(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 1
    path.write_bytes(data)
    message = refusal(path)
    assert "CRC" in message and FACES[0].name in message


def test_a_cut_off_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    path.write_bytes(path.read_bytes()[:-40])
    assert "damaged" in refusal(path)


def test_an_entry_of_enormous_size_is_refused_unread(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in one_of_each_class().items():
            archive.writestr(name, data)
        archive.writestr("sad/zeros.png", bytes(100_000_001), compresslevel=1)
    assert "100,000,001 bytes" in refusal(path)


# Files that make up a source


def test_source_files_of_a_file_is_the_file_and_of_a_folder_its_images_in_order(tmp_path):
    path = write_text(tmp_path, kaggle_csv())
    assert source_files(str(path)) == source_files(path) == [str(path)]
    extra = {"train/happy/notes.txt": b"x", "train/.hidden/1.png": b"x", "train/happy/.1.png": b"x"}
    # "train.png" comes before "train/...", since whole paths are compared.
    images = face_files() | {"train.png": b"x"}
    folder = write_folder(tmp_path / "faces", images | extra)
    assert source_files(folder) == sorted(f"{folder}/{name}" for name in images)


def test_links_to_files_and_folders_are_followed_but_not_in_circles(tmp_path):
    pool = write_folder(tmp_path / "pool", {"1.png": png(FACES[0].pixels), "2.png": png(FACES[1].pixels)})
    faces = tmp_path / "faces"
    for name in CLASSES[:2]:  # one folder under two names is not a circle
        (faces / "train").mkdir(parents=True, exist_ok=True)
        (faces / "train" / name).symlink_to(pool)
    (faces / "train" / "sad").mkdir()
    (faces / "train" / "sad" / "1.png").symlink_to(pool / "1.png")
    (faces / "train" / "sad" / "up").symlink_to(faces)
    names = ["train/angry/1.png", "train/angry/2.png", "train/happy/1.png", "train/happy/2.png", "train/sad/1.png"]
    assert source_files(faces) == [str(faces / name) for name in names]
    assert list(read(faces).samples["source"]) == names


def test_names_of_any_script_are_taken(tmp_path):
    files = {f"train/{name}/脸部 {number}.png": png(FACES[number].pixels) for number, name in enumerate(CLASSES)}
    folder = write_folder(tmp_path / "人脸", files)
    names = list(files)
    assert list(read(folder).samples["source"]) == names
    with zipfile.ZipFile(tmp_path / "人脸.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert list(read(tmp_path / "人脸.zip").samples["source"]) == names
    assert (read(tmp_path / "人脸.zip").images == read(folder).images).all()


def test_a_field_of_ten_million_characters_is_refused(tmp_path):
    path = tmp_path / "faces.csv"
    path.write_text(f"emotion,pixels\n0,{'1 ' * 5_100_000}\n", encoding="utf-8")
    assert "field" in refusal(path)


def test_a_broken_link_is_refused(tmp_path):
    folder = write_folder(tmp_path / "faces", face_files())
    (folder / "train" / "happy" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match="broken link"):
        source_files(folder)


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path):
    folder = write_folder(tmp_path / "faces", face_files())
    try:
        (folder / "train" / "happy" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    with pytest.raises(InputError, match="not UTF-8"):
        source_files(folder)


def test_source_files_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        source_files(tmp_path / "missing")
    with pytest.raises(InputError, match="no image found"):
        source_files(tmp_path)


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^data\.source is '\S+', which cannot be reached \(File name too long\); "):
        source_files(tmp_path / ("x" * 300))


CLOSED = """
import os, sys
sys.path.insert(0, {scripts!r})
from fercv.workflow.errors import InputError
from fercv.data.sources import source_files
os.chdir({folder!r})
if os.getuid() == 0:  # whom modes don't stop
    os.setuid(65534)
try:
    source_files("closed/set.csv")
except InputError as error:
    print(error)
"""


def test_a_source_in_a_folder_that_is_closed_to_the_user_is_refused(tmp_path):
    (path,) = write_folder(tmp_path / "closed", {"set.csv": kaggle_csv().encode()}).iterdir()
    tmp_path.chmod(0o755)
    path.parent.chmod(0)
    code = CLOSED.format(scripts=str(REPOSITORY / "scripts"), folder=str(tmp_path))
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    finally:
        path.parent.chmod(0o700)
    said = "data.source is 'closed/set.csv', which cannot be reached (Permission denied); "
    assert done.stdout.startswith(said) and done.stdout.count("\n") == 1, done.stderr


def test_sources_needs_nothing_heavy():
    """The Snakefile imports it at every start."""
    code = "import sys, fercv.data.sources; sys.exit(any(name in sys.modules for name in ('numpy', 'pandas', 'PIL')))"
    scripts = REPOSITORY / "scripts"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(scripts)}).returncode == 0


# Duplicates


def test_duplicate_groups_are_numbered_by_first_appearance():
    a, b, c = (face.pixels for face in FACES[:3])
    near = a.copy()
    near[0, 0] ^= 1
    groups = duplicate_groups(np.stack([b, a, b, c, near, a]))
    assert groups.dtype == np.int64 and list(groups) == [0, 1, 0, 2, 3, 1]
    assert duplicate_groups(np.empty((0, *SIZE), np.uint8)).shape == (0,)


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data/fer2013-images.zip is not there")
def test_the_real_set(caplog):
    images, samples = read_dataset(REAL, REAL_CLASSES, (48, 48))
    assert images.shape == (32298, 48, 48) and not caplog.records
    assert dict(samples["usage"].value_counts()) == {"Training": 28709, "PublicTest": 3589}
    training = samples[samples["usage"] == "Training"]
    assert list(training["label"].value_counts(sort=False).sort_index()) == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    groups = duplicate_groups(images)
    assert 1000 < len(training) - len(set(groups[training.index])) < 1400


def test_a_file_name_with_braces_which_snakemake_cannot_take_is_refused(tmp_path):
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "f{1}.png").touch()
    with pytest.raises(InputError, match=r"f\{1\}\.png: Snakemake takes braces .* rename it"):
        source_files(tmp_path)
