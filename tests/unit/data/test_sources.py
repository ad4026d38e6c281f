"""Which files a data source consists of, in which order, and which sources are refused."""

import os
import subprocess
import sys

import pytest
from helpers import REPOSITORY
from small_set import CLASSES, FACES, face_files, kaggle_csv, png, read, write_folder, write_text

from fercv.data.sources import natural_key, source_files
from fercv.workflow.errors import InputError


def test_source_files_of_a_file_is_the_file_and_of_a_folder_its_images_in_order(tmp_path):
    path = write_text(tmp_path, kaggle_csv())
    assert source_files(str(path)) == source_files(path) == [str(path)]
    extra = {"train/happy/notes.txt": b"x", "train/.hidden/1.png": b"x", "train/happy/.1.png": b"x"}
    # "train.png" comes before "train/...", since whole paths are compared.
    images = face_files() | {"train.png": b"x"}
    folder = write_folder(tmp_path / "faces", images | extra)
    assert source_files(folder) == sorted(f"{folder}/{name}" for name in images)


def test_links_to_files_and_folders_are_followed_but_not_in_circles(tmp_path):
    pools = [write_folder(tmp_path / f"pool{number}", {"1.png": png(FACES[number].pixels)}) for number in range(2)]
    faces = tmp_path / "faces"
    (faces / "train" / "sad").mkdir(parents=True)
    for name, pool in zip(CLASSES, pools, strict=False):
        (faces / "train" / name).symlink_to(pool)
    (faces / "train" / "sad" / "1.png").symlink_to(pools[0] / "1.png")
    (faces / "train" / "sad" / "up").symlink_to(faces)
    names = ["train/angry/1.png", "train/happy/1.png", "train/sad/1.png"]
    assert source_files(faces) == [str(faces / name) for name in names]
    assert list(read(faces).samples["source"]) == names


def test_one_folder_under_two_names_is_refused(tmp_path):
    """The images of folders that link to each other would be counted again and again."""
    faces = write_folder(tmp_path / "faces", face_files())
    for name, other in [("happy", "sad"), ("sad", "happy")]:
        (faces / "train" / name / "link").symlink_to(faces / "train" / other)
    with pytest.raises(InputError, match=r"train/sad: by links the same folder as .*train/happy/link; take one"):
        source_files(faces)


def test_folders_without_end_inside_each_other_are_refused(tmp_path):
    folder = tmp_path / "faces" / "/".join(["f"] * 60)
    folder.mkdir(parents=True)
    (folder / "1.png").touch()
    with pytest.raises(InputError, match="more than 50 folders inside each other"):
        source_files(tmp_path / "faces")
    (tmp_path / "faces" / "/".join(["f"] * 49) / "1.png").touch()
    assert len(source_files(tmp_path / "faces/f/f/f/f/f/f/f/f/f/f/f/f")) == 2


def test_the_name_of_the_built_in_faces_is_proposed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="did you mean 'synthetic'"):
        source_files("synthetik")


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
if os.getuid() == 0:  # file modes don't stop root
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


@pytest.mark.parametrize("names", [["a10", "a9", "a09", "b", "B", "é", "a"], ["7/x", "x/7", "70", "x/" + "9" * 5000]])
def test_natural_order_is_total_and_does_not_depend_on_the_start(names):
    ordered = sorted(names, key=natural_key)
    backward = names[::-1]
    assert sorted(backward, key=natural_key) == ordered
    assert len({str(natural_key(name)) for name in names}) == len(names)


def test_natural_order_compares_numbers_by_value_and_letters_by_code_point():
    names = ["face10", "face9", "Face11", "face009b", "é1", "z1"]
    assert sorted(names, key=natural_key) == ["Face11", "face009b", "face9", "face10", "z1", "é1"]
