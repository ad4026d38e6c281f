"""The model card: names of the user's are text and nothing else, and what it says depends on the experiment."""

import json
import re

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from results_on_disk import tables_of

from fercv.final.card import fenced, render_card
from fercv.workflow.errors import InputError

# Names that Markdown would take for something else.
CLASSES = ["a|b ``c`", "<b>*x*</b> &amp; [y](http://z) __u__ \\", "1. $a$ #\n- ~~old~~"]
SETTINGS = {
    "experiment": "an_experiment_",
    "model": "the_cnn_",
    "source": "data/*my* set.zip",
    "classes": CLASSES,
    "image_size": [48, 40],
    "held_out": True,
    "folds": 4,
    "onnx": True,
    "definition": {
        "architecture": "cnn",
        "exclude_from_training": None,
        "mirrored_prediction": True,
        "folds": "grouped",
    },
}


@pytest.fixture
def folder(tmp_path):
    """The results of a model, as far as its card states them."""
    for name, table in tables_of("cnn").items():
        if name == "per_class.csv":
            table |= {"class": CLASSES, "recall": [0.5, 0.25, ""], "recall_low": [0.4, "", ""]}
            table |= {"recall_high": [0.6, "", ""]}
        pd.DataFrame(table).to_csv(tmp_path / name, index=False)
    record = {
        "epochs": 1,
        "training_rows": 1234,
        "software": {"python": "3.12.1", "tensorflow": "2.21.0", "kernels": "oneDNN"},
        "precision": "float32",
        "rows_of_classes": dict(zip(CLASSES, [1000, 200, 34], strict=True)),
        "early_stopping_rows": 0,
    }
    write_record(tmp_path, record)
    return tmp_path


def write_record(folder, record):
    (folder / "final").mkdir(exist_ok=True)
    (folder / "final" / "training.json").write_text(json.dumps(record), encoding="utf-8")


def card_of(folder, **changes):
    return render_card(folder, SETTINGS | changes)


def tables(card):
    """The tables of a card as lists of rows, each a list of the texts that its cells show."""
    found, tokens = [], MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(card)
    for token, content in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            assert {child.type for child in content.children} <= {"text", "text_special"}, content.content
            found[-1][-1].append("".join(child.content for child in content.children))
    return found


def test_names_are_text_and_nothing_else(folder):
    card = card_of(folder)
    names = [row[0] for row in tables(card)[1][1:]]
    assert names == [" ".join(name.split()) for name in CLASSES]
    first, *_ = (token for token in MarkdownIt().parse(card) if token.type == "inline")
    assert {child.type for child in first.children} <= {"text", "text_special"}
    assert "".join(child.content for child in first.children) == "the_cnn_ of the experiment an_experiment_"
    assert r"The images come from \*my\* set.zip." in card


def test_figures_are_those_of_the_tables_and_empty_where_there_are_none(folder):
    measures, classes, held_out = tables(card_of(folder))
    assert measures[1] == ["accuracy", "0.812", "0.712 to 0.912", "0.250"]
    assert [row[1:] for row in classes[1:]] == [
        ["1000", "0.500", "0.400 to 0.600"],
        ["200", "0.250", ""],
        ["34", "", ""],
    ]
    assert held_out[1:] == [["PrivateTest", "accuracy", "0.812", "0.712 to 0.912", "12"]]


def test_the_recipe_is_the_definition_whatever_stands_in_it(folder):
    definition = SETTINGS["definition"] | {"exclude_from_training": "a ```` fence.csv\n~~~"}
    blocks = [token for token in MarkdownIt().parse(card_of(folder, definition=definition)) if token.type == "fence"]
    assert [block.info for block in blocks] == ["yaml", "python"]
    assert "exclude_from_training" in blocks[0].content and "folds: grouped" in blocks[0].content
    assert fenced("`" * 5, "yaml").splitlines() == ["``````yaml", "`" * 5, "``````"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "synthetic"}, "The model knows only drawn faces"),
        ({"onnx": False}, "keras.saving.load_model"),
        ({"onnx": True}, "onnxruntime.InferenceSession"),
        ({"held_out": True}, "## Held-out test"),
        ({"definition": SETTINGS["definition"] | {"folds": "random"}}, "These figures are too high"),
        (
            {"definition": SETTINGS["definition"] | {"exclude_from_training": "list.csv"}},
            "The list in `exclude_from_training` below",
        ),
    ],
)
def test_it_says_what_holds_for_the_experiment_alone(folder, changes, said):
    without = {"source": "faces.zip", "onnx": not changes.get("onnx", False), "held_out": False}
    assert said in card_of(folder, **changes)
    assert said not in card_of(folder, **without)


def test_a_damaged_record_is_refused_in_one_line(folder):
    (folder / "final" / "training.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"training.json: lacks the key epochs.* delete it, .* makes it again$"):
        card_of(folder)


def test_every_card_says_what_the_model_was_made_with_and_what_it_must_not_be_used_for(folder):
    card = " ".join(card_of(folder).split())
    assert "trained on 1,234 images" in card
    assert "in float32, with TensorFlow 2.21.0, Python 3.12.1 and the kernels of oneDNN." in card
    assert "An expression is not an emotion." in card and "Do not decide about people by it" in card
    record = json.loads((folder / "final" / "training.json").read_text())
    write_record(folder, record | {"early_stopping_rows": 99})
    stopped = " ".join(card_of(folder).split())
    assert "99 further images decided when the training stopped." in stopped
    assert "The weights are those of the best of them. It is a definition for" in stopped
    assert "The weights are those" not in card
    assert not re.search(r"\n\n\n|[ \t]\n", card_of(folder))
