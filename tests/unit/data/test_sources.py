"""Which files a data source consists of, in which order, and which sources are refused."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import REPOSITORY
from small_set import CLASSES, FACES, face_files, kaggle_csv, png, read, write_folder, write_text

from fercv.data import sources
from fercv.data.sources import file_stamps, natural_key, source_digest, source_files, source_kind
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import file_digest


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


def test_folders_may_lie_fifty_deep_and_no_deeper(tmp_path):
    deepest = tmp_path.joinpath("faces", *["f"] * 50)
    deepest.mkdir(parents=True)
    (deepest / "1.png").touch()
    assert source_files(tmp_path / "faces") == [str(deepest / "1.png")]
    (deepest / "f").mkdir()
    with pytest.raises(InputError, match="more than 50 folders inside each other"):
        source_files(tmp_path / "faces")


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp", "pgm", "PNG", "Jpg"])
def test_a_file_is_an_image_by_its_ending(tmp_path, suffix):
    (tmp_path / f"1.{suffix}").touch()
    (tmp_path / f"{suffix}.txt").touch()
    assert source_files(tmp_path) == [str(tmp_path / f"1.{suffix}")]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("set", b"PK\x03\x04", "zip"),
        ("set.ZIP", b"", "zip"),
        ("set", gzip.compress(b"label,pixels", mtime=0), "csv"),
        ("set.csv", b"", "csv"),
        ("set.csv.gz", b"", "csv"),
        ("set.TXT", b"", "csv"),
    ],
)
def test_a_source_is_known_by_its_content_or_its_name(tmp_path, name, content, kind):
    (tmp_path / name).write_bytes(content)
    assert source_kind(tmp_path / name) == kind
    assert source_kind(tmp_path) == "folder"


def test_a_source_that_is_none_of_these_is_refused(tmp_path):
    (tmp_path / "set.dat").write_bytes(b"label,pixels")
    with pytest.raises(InputError, match=r"set\.dat: neither csv, csv\.gz, zip nor a folder"):
        source_kind(tmp_path / "set.dat")
    with pytest.raises(InputError, match=r"set\.csv: no such file"):
        source_kind(tmp_path / "set.csv")


def tar():
    """A tar with one file, without compression."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("happy/1.png"), io.BytesIO())
    return content.getvalue()


@pytest.mark.parametrize(
    "start",
    [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh9", b"\xfd7zXZ\x00", tar(), tar()[:262], gzip.compress(tar())],
    ids=["7z", "rar", "bzip2", "xz", "tar", "start of a tar", "tar in gzip"],
)
def test_another_archive_is_known_by_its_content_whatever_its_name_says(tmp_path, start):
    path = tmp_path / "set.csv"
    path.write_bytes(start)
    with pytest.raises(InputError, match="an archive, but no zip; unpack it"):
        source_kind(path)


def test_a_csv_with_the_word_ustar_elsewhere_is_no_tar(tmp_path):
    path = tmp_path / "set.csv"
    for place in (256, 258):
        path.write_bytes(b"x" * place + b"ustar" + b"x" * 20)
        assert source_kind(path) == "csv"


def rewrite(file, content):
    """Write into a file, and put its time of modification back. The time of the change alone tells of it."""
    path = Path(file)
    before = path.stat()
    with path.open("r+b") as opened:
        opened.write(content)
    # The clock of a file system advances in steps of milliseconds.
    while path.stat().st_ctime_ns == before.st_ctime_ns or path.stat().st_mtime_ns != before.st_mtime_ns:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def pair(tmp_path):
    """Two files of one length."""
    folder = write_folder(tmp_path / "pair", {"1.png": b"one", "2.png": b"two"})
    return [str(folder / "1.png"), str(folder / "2.png")]


def test_a_digest_is_that_of_names_and_contents(pair, tmp_path):
    before = source_digest(pair)
    assert len(before) == 32 and set(before) <= set("0123456789abcdef")
    assert source_digest(list(pair)) == before
    assert source_digest(pair[:1]) != before
    assert source_digest(pair[::-1]) != before
    rewrite(pair[0], b"six")
    changed = source_digest(pair)
    assert changed != before
    Path(pair[0]).rename(tmp_path / "3.png")
    assert len({before, changed, source_digest([str(tmp_path / "3.png"), pair[1]])}) == 3


def test_a_file_that_cannot_be_read_counts_as_empty_and_comes_back(pair, tmp_path):
    before, cache = source_digest(pair), tmp_path / "cache.json"
    Path(pair[0]).rename(tmp_path / "away")
    lost = source_digest(pair, cache)
    assert lost not in (before, source_digest(pair[1:]))
    (tmp_path / "away").rename(pair[0])
    assert source_digest(pair, cache) == before


def test_with_a_cache_only_changed_files_are_read_again(pair, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(sources, "file_digest", lambda file: read.append(file) or file_digest(file))
    cache = tmp_path / "folder" / "cache.json"
    before = source_digest(pair, cache)
    assert read == pair
    assert source_digest(pair, cache) == before == source_digest(pair)
    assert read == pair * 2
    read.clear()
    rewrite(pair[0], b"six")
    assert source_digest(pair, cache) == source_digest(pair) != before
    assert read == [pair[0], *pair]
    assert [path.name for path in cache.parent.iterdir()] == ["cache.json"]


STAMPED = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


@pytest.mark.parametrize("part", STAMPED)
def test_each_part_of_a_stamp_tells_a_change_by_itself(pair, tmp_path, monkeypatch, part):
    """File systems differ in what a change leaves behind. The cache passes over the number of a file and its device."""
    cache, read, before = tmp_path / "cache.json", [], file_stamps(pair)
    source_digest(pair, cache)
    stat = os.stat

    def changed(file, *arguments, **keywords):
        found = {name: getattr(stat(file, *arguments, **keywords), name) for name in STAMPED}
        return SimpleNamespace(**found | {part: found[part] + 1})

    monkeypatch.setattr(sources, "file_digest", lambda file: read.append(file) or file_digest(file))
    monkeypatch.setattr(sources, "os", SimpleNamespace(**vars(os) | {"stat": changed}))
    source_digest(pair, cache)
    assert read == ([] if part in ("st_dev", "st_ino") else pair)
    assert not set(before) & set(file_stamps(pair))


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"{", b'{"a": 1}', b'{"a": "b"}'])
def test_a_broken_cache_is_made_anew(pair, tmp_path, content):
    cache = tmp_path / "cache.json"
    cache.write_bytes(content)
    assert source_digest(pair, cache) == source_digest(pair)
    assert set(json.loads(cache.read_text())) == set(pair)


def test_a_cache_that_cannot_be_written_stops_nothing(pair, tmp_path):
    (tmp_path / "file").touch()
    assert source_digest(pair, tmp_path / "file" / "cache.json") == source_digest(pair)


def test_a_full_disk_leaves_the_cache_as_it_was(pair, tmp_path, monkeypatch):
    def full(path, *_, **__):
        path.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    cache = tmp_path / "cache.json"
    source_digest(pair, cache)
    before = cache.read_bytes()
    rewrite(pair[0], b"six")
    monkeypatch.setattr(Path, "write_text", full)
    assert source_digest(pair, cache) == source_digest(pair)
    assert cache.read_bytes() == before


def test_stamps_tell_every_change_even_one_that_was_put_back(pair, tmp_path):
    stamps = file_stamps([*pair, str(tmp_path / "missing")])
    assert stamps[2] is None
    assert file_stamps(pair) == stamps[:2]
    rewrite(pair[0], b"six")
    written = file_stamps(pair)
    assert written[0] != stamps[0] and written[1] == stamps[1]
    shutil.copy2(pair[0], tmp_path / "other")
    (tmp_path / "other").replace(pair[0])
    assert file_stamps(pair)[0] not in (written[0], stamps[0])


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
    names = ["face10", "face9", "Face11", "face009b", "é1", "z1", "10z", "9z"]
    assert sorted(names, key=natural_key) == ["9z", "10z", "Face11", "face009b", "face9", "face10", "z1", "é1"]
