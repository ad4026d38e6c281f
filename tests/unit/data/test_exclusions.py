"""The list of samples that a model is not trained on."""

import pytest

from fercv.data.exclusions import excluded_rows, read_exclusions
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import file_digest

SOURCES = ["train/sad/1.png", "train/sad/2.png", "train/a, b/3.png", "train/sad/4.png"]


def write(folder, content):
    path = folder / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path):
    return excluded_rows(path, SOURCES, file_digest(path))


@pytest.mark.parametrize(
    "content",
    [
        "sample\ntrain/sad/4.png\ntrain/sad/2.png\n",
        "index,sample,given\n1,train/sad/2.png,sad\n3,train/sad/4.png,sad\n",
        "\ufeffsample\r\ntrain/sad/2.png\r\ntrain/sad/4.png",
        "sample\ntrain/sad/2.png\ntrain/sad/4.png\ntrain/sad/2.png\n",
    ],
    ids=["any order", "further columns", "a spreadsheet's", "one twice"],
)
def test_the_rows_of_the_samples_are_found(tmp_path, content):
    assert rows(write(tmp_path, content)) == [1, 3]


def test_names_may_be_quoted_and_a_list_may_be_empty(tmp_path):
    assert rows(write(tmp_path, 'sample\n"train/a, b/3.png"\n')) == [2]
    assert rows(write(tmp_path, "sample\n")) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "sample\ntrain/sad/2.png\ntrain/sad/5.png\n",
            r"row 2: sample is 'train/sad/5.png', which .*did you mean",
        ),
        ("index,sample\n1\n", "row 1: sample is '', which is not"),
        ("Samples\n1\n", "has no column sample, found Samples; the first line"),
        ("", "has no column sample, found nothing"),
        ("sample\ncaf\xe9\n".encode("latin-1"), "no csv in UTF-8"),
    ],
    ids=["unknown", "short row", "another column", "empty", "Latin-1"],
)
def test_another_list_is_refused_in_one_line(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        rows(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_list_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file under .*; correct exclude_from_training"):
        read_exclusions(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_exclusions(tmp_path)


def test_a_list_that_has_changed_since_planning_is_refused(tmp_path):
    path = write(tmp_path, "sample\n")
    planned = file_digest(path)
    write(tmp_path, "sample\ntrain/sad/2.png\n")
    with pytest.raises(InputError, match="changed since Snakemake planned"):
        excluded_rows(path, SOURCES, planned)
