"""What stands on the page, in which order."""

import re

import pytest
from helpers import REPOSITORY

from fercv.report.computed import COMPUTED
from fercv.report.sections import SECTIONS, Computed, Picture, captions, matching, shown_files


def test_files_come_in_the_order_of_the_page_and_of_the_models():
    files = ["fc/accuracy.png", "comparison.png", "cnn/accuracy.png", "cnn/folds/00/accuracy.png", "other/accuracy.png"]
    assert shown_files(files, ["cnn", "fc"]) == ["comparison.png", "cnn/accuracy.png", "fc/accuracy.png"]


@pytest.mark.parametrize("models", [["cnn", "fc"], ["fc", "cnn"]])
def test_a_file_is_of_the_model_and_the_layer_that_it_names(models):
    files = ["cnn/filters_conv_1.png", "fc/filters_dense.png", "fc2/filters_dense.png", "cnn/filters_a/b.png"]
    found = matching("{model}/filters_{layer}.png", files, models)
    assert found == {
        "cnn/filters_conv_1.png": {"model": "cnn", "layer": "conv_1"},
        "fc/filters_dense.png": {"model": "fc", "layer": "dense"},
    }
    assert [names["model"] for names in found.values()] == models


def test_names_mean_nothing_else_than_themselves():
    assert matching("{model}.png", ["a-b.png", "axb.png"], ["a-b", "a.b"]) == {"a-b.png": {"model": "a-b"}}


def test_every_caption_and_every_computed_part_exists():
    assert {f"{name}.rst" for name in captions()} <= {path.name for path in (REPOSITORY / "report").iterdir()}
    parts = [part for section in SECTIONS for part in section.parts]
    assert {part.name for part in parts if isinstance(part, Computed)} == set(COMPUTED)
    titles = [section.title for section in SECTIONS] + [part.title for part in parts if hasattr(part, "title")]
    assert len(set(titles)) == len(titles)


def test_the_page_shows_every_picture_of_snakemakes_report_with_the_same_caption():
    """A picture that a rule puts into the report, but that SECTIONS do not name, would be missed on the page."""
    rules = "".join(path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "rules").glob("*.smk")))
    reported = re.findall(r'f"\{(MODEL_)?RESULTS\}/(\S+\.png)",\s+caption="../report/(\w+)\.rst"', rules)
    expected = {(("{model}/" if model else "") + file.replace("{{", "{").replace("}}", "}"), caption)
                for model, file, caption in reported}  # fmt: skip
    shown = {(part.file, part.caption) for section in SECTIONS for part in section.parts if isinstance(part, Picture)}
    assert len(expected) > 10
    assert shown == expected


def test_the_page_has_every_setting_that_a_caption_names():
    rules = (REPOSITORY / "rules" / "common.smk").read_text(encoding="utf-8")
    given = re.search(r"^SETTINGS_OF_REPORT = \{.*?^\}", rules, re.MULTILINE | re.DOTALL)[0]
    texts = "".join((REPOSITORY / "report" / f"{name}.rst").read_text(encoding="utf-8") for name in captions())
    named = set(re.findall(r'config\["(\w+)"\]', texts))
    assert "layer_checks" in named
    assert {name for name in named if f'"{name}"' not in given} == set()
