"""The csv reader: harmless variants give the same arrays, and every bad file gives one line that says what to mend."""

import gzip
import re
import tracemalloc

import numpy as np
import pytest
from small_set import FACES, SIZE, Face, kaggle_csv, read, refusal, write_text


def course_csv(faces=FACES):
    return "label,feature\n" + "".join(f"{face.label},{face.text}\n" for face in faces)


def test_kaggle_csv_gives_the_pixels_labels_and_usages_in_file_order(tmp_path):
    images, samples = read(write_text(tmp_path, kaggle_csv()))
    assert images.dtype == np.uint8 and images.shape == (8, *SIZE)
    np.testing.assert_array_equal(images, [face.pixels for face in FACES])
    assert samples["label"].dtype == np.int64
    assert list(samples["label"]) == [face.label for face in FACES]
    assert list(samples["usage"]) == [face.usage for face in FACES]
    assert list(samples["source"]) == [f"row {number}" for number in range(1, 9)]


def test_course_csv_has_no_usage(tmp_path):
    for name, data in (("course.csv", course_csv().encode()), ("course.csv.gz", gzip.compress(course_csv().encode()))):
        images, samples = read(write_text(tmp_path, data, name))
        np.testing.assert_array_equal(images, [face.pixels for face in FACES])
        assert list(samples["label"]) == [face.label for face in FACES]
        assert set(samples["usage"]) == {""}


def test_gzip_is_known_by_content_not_by_name(tmp_path):
    path = write_text(tmp_path, gzip.compress(kaggle_csv().encode()), "set.csv")
    assert len(read(path).images) == 8


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
    assert owner.nbytes == images.size  # the memory that was reserved for more rows is free again


def test_a_csv_may_hold_large_images(tmp_path):
    pixels = np.random.default_rng(0).integers(100, 256, (300, 200), dtype=np.uint8)
    text = f"label,pixels\n0,{' '.join(map(str, pixels.ravel()))}\n"
    np.testing.assert_array_equal(read(write_text(tmp_path, text), pixels.shape).images, [pixels])


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


def test_a_field_of_ten_million_characters_is_refused(tmp_path):
    path = tmp_path / "faces.csv"
    path.write_text(f"emotion,pixels\n0,{'1 ' * 5_100_000}\n", encoding="utf-8")
    assert "field" in refusal(path)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    path = write_text(tmp_path, gzip.compress(b"label,pixels\n0," + b"1" * 200_000_000, 1), "set.csv.gz")
    tracemalloc.start()
    message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "field" in message or "row of more than" in message
    assert peak < 100_000_000
