"""Groups and folds of the user's own: what is read, and what is refused by name."""

import gzip
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from small_set import write_text

from assign_folds import main
from fercv.data.groups import check_groups, find_column, find_groups, match_samples, read_folds, read_values
from fercv.data.sources import source_digest
from fercv.data.tables import FOLDS, GROUPS, read_table
from fercv.workflow.errors import InputError

FILES = [f"{label}/S{person:02d}_{frame}.png" for label in ("calm", "angry") for person in range(4) for frame in (1, 2)]


def refusal(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    (line,) = str(caught.value).splitlines()
    return line


def csv_of(folder, column, values, name="of.csv"):
    return str(write_text(folder, "".join([f"sample,{column}\n", *(f"{a},{b}\n" for a, b in values.items())]), name))


# What a csv of samples may look like.


@pytest.mark.parametrize(
    "text",
    [
        "sample,group\na.png,1\nb.png,2\n",
        "note, Group ,SAMPLE\nx,1, a.png\ny,2,b.png \n\n",
        '\ufeffsample,group\r\n"a.png",1\r\nb.png,2\r\n',
        gzip.compress(b"sample,group\na.png,1\nb.png,2\n", mtime=0),
    ],
    ids=["plain", "other names", "quoted", "gzip"],
)
def test_values_are_found_by_the_names_of_their_columns(tmp_path, text):
    assert read_values(write_text(tmp_path, text), "group") == {"a.png": "1", "b.png": "2"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no column named 'sample' in the header"),
        ("sample,groups\na,1\n", "no column named 'group' .*did you mean 'groups'"),
        ("sample,group,group\na,1,1\n", "2 columns named 'group'"),
        ("sample,group\n", "a header but no rows"),
        ("sample,group\na,1,2\n", "row 1 has 3 fields, expected 2"),
        ("sample,group\na,1\nb,\n", "row 2 has no group; fill it in"),
        ("sample,group\n ,1\n", "row 1 has no sample"),
        ("sample,group\na,1\nb,1\na,1\n", "row 3: the sample 'a' stands in a row before"),
        (b"sample,group\n\xe9,1\n", "not UTF-8"),
    ],
)
def test_a_csv_that_is_wrong_is_refused(tmp_path, text, found):
    path = write_text(tmp_path, text)
    assert re.search(found, line := refusal(read_values, path, "group")) and line.startswith(str(path))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (["label", "group", " GROUP"], "2 columns named 'group' in the header 'label, group,  GROUP', expected one"),
        (["label", "Grup"], "no column named 'group' in the header 'label, Grup', expected one; did you mean 'Grup'?"),
        (None, "no column named 'group' in the header 'nothing', expected one"),
        (["x" * 79], f"no column named 'group' in the header '{'x' * 79}', expected one"),
        (["x" * 80], f"no column named 'group' in the header '{'x' * 77}...', expected one"),
    ],
    ids=["two", "another", "none", "long", "too long"],
)
def test_a_column_that_is_not_there_once_is_refused_with_the_header(header, told):
    assert refusal(find_column, Path("of.csv"), header, "group") == f"of.csv: {told}"


@pytest.mark.parametrize("fold", ["3", "-1", "1.0", "x"])
def test_a_fold_that_does_not_exist_is_refused(tmp_path, fold):
    path = write_text(tmp_path, f"sample,fold\na,02\nb,{fold}\n")
    line = refusal(read_folds, path, 3)
    assert f"the sample 'b' has the fold {fold!r}, expected a whole number from 0 to 2" in line
    assert read_folds(write_text(tmp_path, "sample,fold\na,02\nb,0\n"), 3) == {"a": 2, "b": 0}


# How samples are named.

ROWS = ["row 1", "row 2", "row 3"]


@pytest.mark.parametrize("names", [("row 3", "row 1", "row 2"), ("3", "1", "2")])
def test_a_row_of_a_csv_is_named_by_its_number(names):
    values = dict(zip(names, "cab", strict=True))
    assert match_samples(Path("x"), values, ROWS, [True] * 3, False) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"1": 0, "2": 0}, "x: no row for 'row 3'; each training image needs one"),
        ({"1": 0}, "x: no row for 'row 2' and 1 other training images"),
        ({"0": 0, "1": 0, "2": 0}, "x: there is no sample '0'.* such as 'row 1'"),
        ({"1": 0, "2": 0, "3": 0, "row 4": 0}, "x: there is no sample 'row 4'; did you mean 'row"),
        ({"1": 0, "2": 0, "3": 0, "row 2": 0}, "x: the sample 'row 2' stands there twice"),
    ],
)
def test_a_missing_unknown_or_doubled_sample_is_refused_by_name(values, found):
    assert re.match(found, refusal(match_samples, Path("x"), values, ROWS, [True] * 3, False))


def test_held_out_samples_may_be_missing_and_samples_that_a_scale_left_out_may_be_named():
    assert match_samples(Path("x"), {"1": 7, "2": 8}, ROWS, [True, True, False], False) == [7, 8, None]
    assert match_samples(Path("x"), {"1": 7, "2": 8, "9": 9}, ROWS[:2], [True] * 2, True) == [7, 8]


# Groups of each kind.


def test_a_pattern_groups_by_its_parts_in_parentheses():
    persons = find_groups({"pattern": r"S(\d{2})_"}, "faces", FILES, [True] * 16, False)
    assert len(set(persons)) == 4 and persons[:8] == persons[8:]
    shots = find_groups({"pattern": r"^(\w+)/S(\d{2})_"}, "faces", FILES, [True] * 16, False)
    assert len(set(shots)) == 8


@pytest.mark.parametrize("pattern", [r"S(0[0-2])_", r"S(0[0-2])?"])
def test_a_pattern_that_finds_nothing_in_a_training_image_is_refused_by_its_name(pattern):
    line = refusal(find_groups, {"pattern": pattern}, "faces", FILES, [True] * 16, False)
    assert line.startswith(f"folds.groups.pattern is {pattern!r}, which finds no group in 'calm/S03_1.png' and 3 other")
    training = ["S03" not in name for name in FILES]
    assert find_groups({"pattern": pattern}, "faces", FILES, training, False).count(None) == 4


def test_a_column_of_the_data_groups_its_rows(tmp_path):
    path = write_text(tmp_path, "label,feature,Person\n0,1 2,anna\n1,2 3, ben \n0,4 5,anna\n0,4 5,\n")
    assert find_groups({"column": "person"}, path, ROWS, [True] * 3, False) == ["anna", "ben", "anna"]
    assert find_groups({"column": " PERSON "}, path, ROWS[1:], [True] * 2, True) == ["ben", "anna"]
    line = refusal(find_groups, {"column": "person"}, path, [*ROWS, "row 4"], [True] * 4, False)
    assert line == f"{path}: nothing in the column 'person' of 'row 4'; fill it in"


# What is refused before anything runs.


@pytest.mark.parametrize(
    ("groups", "file", "found"),
    [
        ({"csv": "nowhere.csv"}, None, "folds.groups.csv is 'nowhere.csv', but .* file under .*; correct"),
        (None, "nowhere.csv", "folds.file is 'nowhere.csv', but .* file under .*; correct"),
        ({"pattern": "(x)"}, None, "pattern is set, but data.csv is a csv, .* set folds.groups.column or .*.csv"),
        ({"column": "persn"}, None, "no column named 'persn' .*did you mean 'Person'"),
        ({"csv": "data.csv"}, None, "no column named 'sample'"),
        ({"csv": "of.csv"}, None, "no column named 'group'"),
        (None, "of.csv", "the sample '1' has the fold '9'"),
    ],
)
def test_what_files_and_headers_tell_is_refused_early(tmp_path, monkeypatch, groups, file, found):
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path, "label,feature,Person\n0,1 2,anna\n", "data.csv")
    csv_of(tmp_path, "fold", {"1": 9})
    assert re.search(found, refusal(check_groups, {"groups": groups, "file": file, "number": 3}, "data.csv"))


def test_a_column_needs_a_csv(tmp_path):
    folds = {"groups": {"column": "person"}, "file": None, "number": 3}
    line = refusal(check_groups, folds, str(tmp_path))
    assert line == f"folds.groups.column is set, but {tmp_path} is no csv; set folds.groups.pattern or folds.groups.csv"


@pytest.mark.parametrize("groups", [None, {"csv": "of.csv"}])
def test_drawn_faces_need_no_file_of_data(tmp_path, monkeypatch, groups):
    monkeypatch.chdir(tmp_path)
    csv_of(tmp_path, "group", {"1": 0})
    check_groups({"groups": groups, "file": None, "number": 3}, "synthetic")


# The rule.


class Samples:
    """A table of samples of two classes: 4 persons with two images of each class, of which the last two are copies."""

    def __init__(self, folder):
        self.folder = folder
        copies = [*range(14), 5, 5]
        table = {"index": range(16), "label": [0] * 8 + [1] * 8, "usage": "Training", "duplicate_group": copies}
        self.table = pd.DataFrame(table | {"source": FILES, "excluded": ""})

    def assign(self, planned=None, **folds):
        """Run the script; return folds.csv, with the columns of the samples."""
        self.table.to_csv(self.folder / "samples.csv", index=False)
        settings = {"number": 2, "group_duplicates": False, "groups": None, "file": None} | folds
        files = [path for path in ((settings["groups"] or {}).get("csv"), settings["file"]) if path]
        output = self.folder / "folds.csv"
        main(
            SimpleNamespace(
                input=SimpleNamespace(samples=self.folder / "samples.csv"),
                output=SimpleNamespace(folds=output, groups=self.folder / "groups.csv"),
                params=SimpleNamespace(
                    folds=settings, classes=["calm", "angry"], seed=1, content="",
                    files=planned or source_digest(files), data={"source": "faces", "images": None},
                ),
            )
        )  # fmt: skip
        return read_table(output, FOLDS).merge(self.table, on="index")

    def independent(self, **folds):
        """Run the script; return the groups of groups.csv."""
        self.assign(**folds)
        return read_table(self.folder / "groups.csv", GROUPS)["group"].tolist()


@pytest.fixture
def samples(tmp_path):
    return Samples(tmp_path)


def number_of_folds(table, key):
    return table.groupby(key)["fold"].nunique().max()


def test_persons_stay_in_one_fold(samples):
    table = samples.assign(groups={"pattern": r"S(\d+)_"})
    assert set(table["fold"]) == {0, 1}
    assert number_of_folds(table, table["source"].str.extract(r"S(\d+)_")[0]) == 1
    assert table["group"].tolist() == [0, 0, 2, 2, 4, 4, 6, 6] * 2


def test_groups_and_copies_that_share_an_image_are_joined(samples):
    """Image 5 of person 2 has copies 14 and 15 of person 3, so these two persons stay together."""
    table = samples.assign(groups={"pattern": r"S(\d+)_"}, group_duplicates=True)
    assert table["group"].tolist() == [0, 0, 2, 2, 4, 4, 4, 4] * 2
    assert number_of_folds(table, "group") == number_of_folds(table, "duplicate_group") == 1


def test_without_groups_each_image_is_one(samples):
    assert samples.assign()["group"].tolist() == list(range(16))
    assert samples.assign(group_duplicates=True)["group"].tolist() == [*range(14), 5, 5]


def test_groups_and_copies_are_drawn_together_even_where_folds_may_split_the_copies(samples):
    assert samples.independent() == [*range(14), 5, 5]
    assert samples.independent(groups={"pattern": r"S(\d+)_"}) == [0, 0, 2, 2, 4, 4, 4, 4] * 2


def test_held_out_images_are_drawn_by_their_groups_too_and_those_without_one_alone(samples):
    """Held out are the first image of person 0, both of person 1 in the first class, and the copies of image 5."""
    held_out = [0, 2, 3, 14, 15]
    samples.table.loc[held_out, "usage"] = "Test"
    samples.table.loc[[14, 15], "source"] = ["unknown_1.png", "unknown_2.png"]
    groups = samples.independent(groups={"pattern": r"S(\d+)_"})
    assert groups == [0, 0, 2, 2, 4, 4, 6, 6, 0, 0, 2, 2, 4, 4, 4, 4]
    samples.table.loc[[14, 15], "duplicate_group"] = [14, 15]
    groups = samples.independent(groups={"pattern": r"S(\d+)_"})
    assert [groups[row] for row in held_out] == [0, 2, 2, 14, 15]


def test_an_image_that_is_left_out_joins_no_persons(samples):
    samples.table.loc[[5, 14, 15], "excluded"] = "blank"
    groups = samples.independent(groups={"pattern": r"S(\d+)_"})
    assert groups == [0, 0, 2, 2, 4, 5, 6, 6, 0, 0, 2, 2, 4, 4, 14, 15]


def test_the_csv_says_the_groups(samples, tmp_path):
    path = csv_of(tmp_path, "group", {name: place // 2 % 2 for place, name in enumerate(reversed(FILES))})
    table = samples.assign(groups={"csv": path})
    assert table["group"].tolist() == [0, 0, 2, 2] * 4


def test_folds_of_the_users_own_are_taken_as_they_are(samples, tmp_path):
    wanted = {name: place // 2 % 2 for place, name in enumerate(FILES)}
    table = samples.assign(file=csv_of(tmp_path, "fold", wanted), groups={"pattern": r"S(\d+)_"})
    assert table["fold"].tolist() == list(wanted.values())
    assert table["group"].tolist() == [0, 0, 2, 2, 4, 4, 6, 6] * 2


def alternating(place):
    return place % 2


@pytest.mark.parametrize(
    ("folds", "settings", "found"),
    [
        (alternating, {"groups": {"pattern": r"S(\d+)_"}}, "'calm/S00_1.png' is in fold 0 and 'calm/S00_2.png' in"),
        (alternating, {"group_duplicates": True}, "'calm/S02_2.png' is in fold 1 and 'angry/S03_1.png' in fold 0"),
        (lambda place: 0, {}, "all samples of class calm fall into fold 0 of 2"),
        (alternating, {"number": 3}, "fold 2 of 3 would be empty: correct .*of.csv, or folds.number"),
    ],
)  # fmt: skip
def test_folds_that_split_a_group_or_leave_none_to_train_on_are_refused(samples, tmp_path, folds, settings, found):
    path = csv_of(tmp_path, "fold", {name: folds(place) for place, name in enumerate(FILES)})
    with pytest.raises(InputError, match=found) as caught:
        samples.assign(file=path, **settings)
    assert "\n" not in str(caught.value)


def test_folds_of_ones_own_may_leave_a_class_out_of_a_fold(samples, tmp_path):
    folds = {name: (place % 3 if place < 8 else place % 2) for place, name in enumerate(FILES)}
    table = samples.assign(file=csv_of(tmp_path, "fold", folds), number=3)
    assert table.loc[table["fold"] == 2, "label"].unique().tolist() == [0]


def test_held_out_images_of_a_persons_training_images_are_told(samples, caplog):
    samples.table.loc[[0, 8], "usage"] = "Test"
    table = samples.assign(groups={"pattern": r"S(\d+)_"})
    assert len(table) == 14
    assert caplog.messages == [
        "2 held-out images belong to a group of folds.groups that also has training images: measures on them may look "
        "too good"
    ]


def test_too_few_persons_are_refused(samples):
    with pytest.raises(
        InputError, match=r"class calm has 8 samples in 4 groups that stay together, fewer than folds.number = 5"
    ):
        samples.assign(groups={"pattern": r"S(\d+)_"}, number=5)


def test_a_file_that_changed_since_snakemake_planned_is_refused(samples, tmp_path):
    path = csv_of(tmp_path, "group", dict.fromkeys(FILES, 0) | {FILES[0]: 1, FILES[8]: 1})
    with pytest.raises(InputError, match=f"{path}: changed since Snakemake planned this job"):
        samples.assign(planned="another content", groups={"csv": path})
