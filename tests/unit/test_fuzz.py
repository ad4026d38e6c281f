"""Readers and configuration on random input. They must accept it or refuse it with one line, and never crash.

Each test runs for two seconds, and as a slow test for FUZZ_SECONDS, by default 15. Every round draws new examples, and
hypothesis shrinks those that fail.
"""

import copy
import gzip
import io
import os
import re
import time
import warnings
import zipfile

import numpy as np
import pytest
import yaml
from helpers import REPOSITORY
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from snakemake.common.configfile import load_configfile

from fercv.data.reading import read_dataset
from fercv.workflow.errors import InputError
from fercv.workflow.planning import config_digest
from fercv.workflow.settings import check_syntax, complete_config

CLASSES = ("angry", "happy", "sad")


@pytest.fixture(params=[2, pytest.param(float(os.environ.get("FUZZ_SECONDS", "15")), marks=pytest.mark.slow)])
def seconds(request):
    """How long a test runs."""
    return request.param


def for_a_while(seconds, check, *strategies):
    """Run `check` on examples of the strategies, round after round, until the time is over."""
    end, round_number = time.monotonic() + seconds, int.from_bytes(os.urandom(4))
    while time.monotonic() < end:
        # pytest shows this if the test fails. The same seed draws the same examples again.
        print("seed", round_number)
        run = given(*strategies)(check)
        options = settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        seed(round_number)(options(run))()
        round_number += 1


def one_line(error):
    text = str(error)
    assert text
    assert "\n" not in text


# Edits of a file: the place as a share of its length, how many bytes to take out there, and which bytes to put in.
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=20), st.sampled_from([b"\x00", b'"', b",", b"\n", b"\r", b"256", b"-1", b"\xff", b"1e9"])
        ),
    ),
    min_size=1,
    max_size=6,
)


def edited(content, edits):
    content = bytearray(content)
    for place, taken, put in edits:
        start = int(place * len(content))
        content[start : start + taken] = put
    return bytes(content)


def csv_file():
    rows = [f"{label},{' '.join(str(17 * label + pixel) for pixel in range(64))},Training" for label in (0, 1, 2, 1)]
    return ("emotion,pixels,Usage\n" + "\n".join(rows) + "\n").encode()


def image_file(kind, mode="L"):
    stream = io.BytesIO()
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


def zip_file():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in CLASSES:
            archive.writestr(f"train/{name}/1.png", image_file("PNG"))
            archive.writestr(f"test/{name}/2.jpg", image_file("JPEG"))
    return stream.getvalue()


def check_reader(path):
    """Read a data source. The result must be arrays that fit each other, or a refusal in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            images, samples = read_dataset(path, CLASSES, (8, 8))
        except InputError as error:
            one_line(error)
            return
    assert images.shape == (len(samples), 8, 8)
    assert images.dtype == np.uint8
    assert samples["label"].between(0, 2).all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("faces.csv", csv_file()),
        ("faces.csv.gz", gzip.compress(csv_file(), mtime=0)),
        ("faces.zip", zip_file()),
    ],
    ids=["csv", "csv.gz", "zip"],
)
def test_files_with_random_damage(tmp_path, name, content, seconds):
    def check(edits):
        path = tmp_path / name
        path.write_bytes(edited(content, edits))
        check_reader(path)

    for_a_while(seconds, check, EDITS)


def test_images_with_random_damage(tmp_path, seconds):
    for name in CLASSES:
        (tmp_path / "faces" / name).mkdir(parents=True)
        (tmp_path / "faces" / name / "1.png").write_bytes(image_file("PNG"))
    kinds = {"png": "L", "jpg": "RGB", "gif": "P", "bmp": "RGB", "tif": "L", "webp": "RGB", "pgm": "L"}
    formats = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM"}
    valid = {suffix: image_file(formats.get(suffix, suffix.upper()), mode) for suffix, mode in kinds.items()}

    def check(suffix, edits):
        path = tmp_path / "faces" / "happy" / f"2.{suffix}"
        path.write_bytes(edited(valid[suffix], edits))
        try:
            check_reader(tmp_path / "faces")
        finally:
            path.unlink()

    for_a_while(seconds, check, st.sampled_from(sorted(valid)), EDITS)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["cnn", "fc", "full", "demo", "synthetic", "conv2_pool", "..", "a/b", 10**400]),
    st.sampled_from(["1e-3", "1e5", "3", "1e-7", "true"]),
)  # fmt: skip
# What YAML makes of keys such as 2024, yes, 1.5 or 2024-01-01.
KEYS = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.floats(), st.none(), st.dates())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
)


def test_configurations_with_random_values(base_config, seconds):
    def places(node, path=()):
        yield path
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in children:
            yield from places(child, (*path, key))

    every_place = [path for path in places(base_config) if path]

    def check(changes):
        config = copy.deepcopy(base_config)
        for path, value, key in changes:
            node = config
            try:
                for part in path[:-1]:
                    node = node[part]
                if key is None:
                    node[path[-1]] = value
                else:
                    node[path[-1]][key] = value
            except (KeyError, TypeError, IndexError):
                continue
        try:
            config_digest(complete_config(config, []))
        except InputError as error:
            one_line(error)
            follow(config, str(error))

    def follow(config, line):
        """Write what a message says to write. It must be what is expected there."""
        advice = re.match(r"config: (\S+) is .*(?:write (\S+), without quotes|in quotes, such as (\".*\"))\)$", line)
        key, *written = advice.groups() if advice else ("",)
        path = next((path for path in every_place if advice and ".".join(map(str, path)) == key), None)
        if path is None:
            return
        *blocks, last = path
        for part in blocks:
            config = config[part]
        config[last] = yaml.safe_load(written[0] or written[1])
        try:
            complete_config(config, [])
        except InputError as error:
            assert not re.match(rf"config: {re.escape(key)} is .*, expected ", str(error)), line

    change = st.tuples(st.sampled_from(every_place), VALUES, st.one_of(st.none(), KEYS))
    for_a_while(seconds, check, st.lists(change, min_size=1, max_size=3))


def test_a_config_file_with_random_damage(tmp_path, seconds):
    content = (REPOSITORY / "config.yaml").read_bytes()

    def check(edits):
        path = tmp_path / "config.yaml"
        path.write_bytes(edited(content, edits))
        try:
            check_syntax(path)
            config_digest(complete_config(load_configfile(path), [path]))
        except InputError as error:
            one_line(error)

    for_a_while(seconds, check, EDITS)
