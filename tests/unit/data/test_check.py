"""What is refused before any job runs, by names, headers and first rows; what needs more than that is not."""

import gzip
import os
import subprocess
import sys
import unicodedata

import pytest
from helpers import REPOSITORY
from small_set import CLASSES, FACES, SIZE, face_files, kaggle_csv, one_of_each_class, png, write_folder, write_text
from small_set import write_zip as zip_of

from fercv.data.check import FIRST_ROWS, check_source
from fercv.data.sources import plain_path, source_files
from fercv.workflow.errors import InputError


def check(path, folds=1, held_out=False, classes=CLASSES, size=SIZE):
    data = {"source": str(path), "classes": classes, "image_size": list(size), "held_out": held_out}
    check_source(source_files(path), data, folds)


@pytest.mark.parametrize("write", [write_folder, zip_of])
@pytest.mark.parametrize(
    ("files", "settings", "found"),
    [
        (one_of_each_class(), {"classes": ["angry", "hapy", "sad"]}, "'happy' .*did you mean 'hapy'"),
        (one_of_each_class(**{"1.png": b""}), {}, "is in no class folder"),
        (one_of_each_class(**{"val/sad/1.png": b""}), {}, "'val' .*is no class"),
        (one_of_each_class(), {"folds": 2}, "class angry has 1 sample, fewer than folds.number = 2"),
        (one_of_each_class(), {"held_out": True}, "data.held_out is true, but all rows"),
        ({f"test/{name}": data for name, data in one_of_each_class().items()}, {}, "no row has the usage Training"),
        (one_of_each_class(**{"sad/a\rb.png": b""}), {}, "line break"),
    ],
)
def test_names_tell_it(tmp_path, write, files, settings, found):
    with pytest.raises(InputError, match=found):
        check(write(tmp_path / "set.zip", files), **settings)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("label\n0\n", "no column named pixels"),
        (f"label,pixels\n3,{FACES[0].text}\n", "label '3'"),
        ("label,pixels\n0,1 2 3\n", "3 pixels, expected 4 x 3 = 12"),
        (f"label,pixels,Usage\n0,{FACES[0].text},Trainig\n", "did you mean 'Training'"),
        ("label,pixels\n", "no rows"),
    ],
)
def test_header_and_first_rows_tell_it(tmp_path, text, found):
    with pytest.raises(InputError, match=found):
        check(write_text(tmp_path, gzip.compress(text.encode()), "set.csv.gz"))


def test_the_look_into_a_csv_is_bounded(tmp_path):
    text = "label,pixels\n" + f"0,{FACES[0].text}\n" * FIRST_ROWS
    check(write_text(tmp_path, text + "late mistake\n"))


def test_blank_lines_without_end_are_refused_but_some_are_not(tmp_path):
    row = f"0,{FACES[0].text}\n"
    check(write_text(tmp_path, "label,pixels\n" + (row + "\n" * 9000) * 3))
    with pytest.raises(InputError, match="line 10003: more than 10,000 blank lines in a row"):
        check(write_text(tmp_path, "label,pixels\n" + row + "\n" * 10_001 + row))


def test_good_data_pass(tmp_path):
    check(write_text(tmp_path, kaggle_csv()), held_out=True)
    check(write_folder(tmp_path / "faces", face_files()), held_out=True)
    check(zip_of(tmp_path / "set.zip", face_files()), held_out=True)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_accent_of_its_own_as_macos_stores_it_makes_no_other_class(tmp_path, form):
    files = {unicodedata.normalize(form, f"{name}/1.png"): png(FACES[0].pixels) for name in ("fröhlich", "müde")}
    check(write_folder(tmp_path / "faces", files), classes=["fröhlich", "müde"])


@pytest.mark.parametrize(
    "name, start", [("a.tar.gz", b"x"), ("a.tgz", b"x"), ("a.7z", b"7z\xbc\xaf\x27\x1c"), ("a.rar", b"Rar!\x1a")]
)
def test_other_archives_are_to_be_unpacked(tmp_path, name, start):
    with pytest.raises(InputError, match="an archive, but no zip; unpack it"):
        check(write_text(tmp_path, start, name))


def test_a_csv_inside_a_zip_is_to_be_unpacked(tmp_path):
    with pytest.raises(InputError, match=r"holds 'fer/fer2013\.csv' and no image; unpack it"):
        check(zip_of(tmp_path / "set.zip", {"fer/fer2013.csv": b"x"}))


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", "/dev/zero", "/dev/null"):
        with pytest.raises(InputError, match="a pipe, a socket or a device"):
            source_files(path)
    write_folder(tmp_path / "sad", {"1.png": b""})
    os.mkfifo(tmp_path / "sad" / "2.png")
    with pytest.raises(InputError, match=r"2\.png' is no file"):
        source_files(tmp_path / "sad")


def test_a_path_written_in_another_way_is_the_same():
    assert {plain_path(path) for path in ("data/mine", "./data/mine", "data/mine/", "data//mine")} == {"data/mine"}
    assert plain_path("synthetic") == "synthetic" != plain_path("./synthetic") == plain_path("synthetic/")


def test_it_needs_nothing_heavy():
    """The Snakefile imports it at every start."""
    heavy = "('numpy', 'pandas', 'PIL')"
    code = f"import sys, fercv.data.check; sys.exit(any(name in sys.modules for name in {heavy}))"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
