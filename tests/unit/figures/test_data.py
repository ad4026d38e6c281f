import numpy as np
from drawings import EMOTIONS, audit_of, random_images, texts_of

from fercv.figures import data


def test_samples_show_each_class_in_its_row():
    rows = {"dark $a$ $b$": np.zeros((3, 8, 8), np.uint8), "bright": np.full((1, 8, 8), 255, np.uint8)}
    axes = data.samples_figure(rows, "Samples").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    sheet = axes.images[0].get_array()
    middle = sheet.shape[0] // 2
    assert sheet[:middle].max() == 0
    assert sheet[middle:].min() == 1
    assert sheet[-1, -1] is np.ma.masked


def test_samples_can_hide_the_names():
    figure = data.samples_figure({name: random_images(2) for name in EMOTIONS}, "Who is it?", show_names=False)
    assert texts_of(figure) == ["Who is it?"]


def test_samples_have_their_note_below():
    assert "Some labels are wrong." in texts_of(
        data.samples_figure({"a": random_images(2)}, "Samples", note="Some labels are wrong.")
    )


def test_the_audit_shows_each_group_whole_with_labels_and_indices():
    figure = audit_of({"Equal": [3, 5], "Near": []}, EMOTIONS)
    texts = texts_of(figure)
    assert texts.count("12 images, 8 shown") == 2 and texts.count("none") == 1
    assert [text for text in texts if "\n" in text] == [
        f"{name}\n{35880 + place}" for size in (3, 5) for place, name in enumerate(EMOTIONS[:size])
    ]
    # Three images, an empty place and five more do not fit into one row of eight.
    places = [text.get_position() for text in figure.axes[0].texts if "\n" in text.get_text()]
    assert [len({y for _, y in places[:3]}), len({y for _, y in places[3:]}), len({y for _, y in places})] == [1, 1, 2]
    assert [x for x, _ in places[:3]] == [x for x, _ in places[3:6]]


def test_an_audit_without_findings_says_so():
    assert texts_of(audit_of({"Equal": [], "Near": []}, EMOTIONS)).count("none") == 2
