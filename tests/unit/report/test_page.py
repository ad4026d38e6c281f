"""The page as a whole: names are escaped, pictures are those of the files, nothing is missing."""

import base64
import hashlib
import io
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from results_on_disk import CLASSES, MODELS, SOURCE, settings, write_experiment

from fercv.report.computed import Experiment
from fercv.report.page import MOST_ROWS, caption_html, render_page
from fercv.report.sections import SECTIONS
from fercv.workflow.errors import InputError


class Page(HTMLParser):
    """The elements of a page as (tag, attributes), the text inside of each, and all text."""

    def __init__(self, html):
        super().__init__()
        self.html, self.elements, self.texts, self.open = html, [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.texts.append("")
        if tag not in ("img", "input", "meta", "link"):
            self.open.append((tag, len(self.texts) - 1))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, number in self.open:
            self.texts[number] += data

    def all(self, tag):
        """The attributes of the elements of a kind, and the text in them."""
        return [(a, text) for (name, a), text in zip(self.elements, self.texts, strict=True) if name == tag]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return write_experiment(tmp_path_factory.mktemp("page") / "demo-page")


@pytest.fixture(scope="module")
def page(experiment):
    return Page(render_page(experiment))


def test_names_of_the_user_are_text_and_nothing_else(page):
    assert "<img src=x" not in page.html
    assert [attributes for attributes, _ in page.all("img") if not attributes["src"].startswith("data:")] == []
    cells = {text for _, text in page.all("td")}
    assert {*CLASSES, SOURCE} <= cells
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    # All scripts but the page's own one are forbidden.
    ((_, script),) = page.all("script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def pictures_of(html):
    """The pictures of a page as {path: caption}, and their elements img. The caption is above several, or below one."""
    captions, images = {}, {}
    for group in re.findall(r'<div class="pictures">.*?</figure>\n</div>|<figure.*?</figure>', html, re.DOTALL):
        said = re.match(r'<div class="pictures">\n<div class="caption">(.*?)</div>', group, re.DOTALL)
        figures = re.findall(r"<figure.*?</figure>", group, re.DOTALL)
        assert bool(said) == (len(figures) > 1)
        for figure in map(Page, figures):
            ((link, name),) = figure.all("a")
            assert unquote(link["href"]) == name
            captions[name] = Page(said[1]).all("p")[0][1] if said else figure.all("figcaption")[0][1]
            ((images[name], _),) = figure.all("img")
            assert f"the caption {'above' if said else 'below'}" in images[name]["alt"]
    return captions, images


def test_every_picture_is_that_of_its_file_and_has_a_text_and_a_caption(experiment, page):
    captions, images = pictures_of(page.html)
    assert all(len(caption) > 80 for caption in captions.values())
    shown = {name: pixels(image) for name, image in images.items()}
    assert set(shown) == {file for file in experiment.files if file.endswith(".png")}
    for name, array in shown.items():
        with Image.open(experiment.folder / name) as expected:
            assert (array == np.asarray(expected.convert("RGBA"))).all(), name


def test_what_is_the_same_of_all_models_is_said_once(experiment, page):
    assert page.html.count("The dotted line is the accuracy of always naming") == 1
    captions, _ = pictures_of(page.html)
    assert captions["cnn/accuracy.png"] == captions["fc/accuracy.png"]
    assert captions["cnn/accuracy.png"].startswith("Accuracy of each model over the epochs. A line")
    assert '<span class="docutils literal">fc_</span>' in caption_html("accuracy", {"model": "fc_"}, {})
    assert '<span class="docutils literal">each' not in page.html
    alone = Page(render_page(experiment._replace(settings=settings(models=["cnn"]))))
    assert pictures_of(alone.html)[0]["cnn/accuracy.png"].startswith("Accuracy of cnn over the epochs. A line")


def pixels(attributes):
    """The pixels of a picture of the page; the page must state its true size."""
    with Image.open(io.BytesIO(base64.b64decode(attributes["src"].partition(",")[2]))) as image:
        assert image.size == (int(attributes["width"]), int(attributes["height"]))
        return np.asarray(image.convert("RGBA"))


def test_every_number_of_every_table_is_on_the_page(experiment, page):
    """Each row of each csv, but for columns that are not shown."""
    values = {a["data-value"] for a, _ in page.all("td") if "data-value" in a}
    texts = {text for _, text in page.all("td")}
    for file in (file for file in experiment.files if file.endswith(".csv")):
        table = pd.read_csv(experiment.folder / file, dtype=str, keep_default_na=False)
        hidden = [name for name in table if name.endswith(("low", "high"))]
        hidden += {"data/audit.csv": ["labels", "usages", "folds", "indices", "sources"]}.get(file, [])
        hidden += ["folds", "groups", "minimum", "maximum"] if "held_out" in file else []
        for value in table.drop(columns=hidden).to_numpy().ravel():
            assert value in values | texts, (file, value)


def test_contents_lead_to_the_sections_and_links_to_files(experiment, page):
    anchors = {attributes.get("id") for _, attributes in page.elements}
    links = [attributes["href"] for attributes, _ in page.all("a")]
    assert [link for link in links if link.startswith("#") and link[1:] not in anchors] == []
    contents = [text for _, text in Page(re.search("<nav.*</nav>", page.html, re.DOTALL)[0]).all("a")]
    assert contents == [section.title for section in SECTIONS]
    files = {unquote(link) for link in links if not link.startswith("#")}
    # Trained models and the tables of the data are not written for this test.
    assert {file for file in files if not (experiment.folder / file).exists()} == {
        "data/samples.csv", "data/folds.csv", *(f"{model}/folds/{fold}/model.keras" for model in MODELS
                                                for fold in experiment.folds)
    }  # fmt: skip


def test_headings_follow_each_other(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)


def test_what_the_experiment_does_not_make_is_left_out(experiment):
    made = [file for file in experiment.files if not re.search("held_out|filters|feature_maps|fc/saliency", file)]
    page = Page(render_page(experiment._replace(files=made)))
    titles = {text for _, text in page.all("h2")}
    assert titles == {section.title for section in SECTIONS} - {"Held-out test", "Filters", "Feature maps"}
    assert "What cnn looks at" in page.html and "What fc looks at" not in page.html


def test_of_a_long_table_the_first_rows_are_shown_and_how_many_there_are(experiment, tmp_path):
    other = write_experiment(tmp_path / "demo-page")
    audit = pd.read_csv(other.folder / "data" / "audit.csv")
    many = pd.concat([audit] * MOST_ROWS).head(MOST_ROWS + 1)
    many.to_csv(other.folder / "data" / "audit.csv", index=False)
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows; all are in" in render_page(other)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("comparison.png", b"no picture", r"comparison\.png: is no picture .*delete it"),
        ("cnn/summary.csv", b"measure,mean\naccuracy,0.5\n", r"summary\.csv: lacks the column standard_deviation"),
        ("cnn/per_class.csv", b'"a\n', r"per_class\.csv: is no table"),
        ("cnn/architecture.txt", b"", r"architecture\.txt: states no total number of parameters"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, name, content, message):
    experiment = write_experiment(tmp_path / "demo-page")
    (experiment.folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        render_page(experiment)


def test_a_user_s_docutils_settings_do_not_count(experiment, page, tmp_path, monkeypatch):
    (tmp_path / "docutils.conf").write_text("[general]\ninitial_header_level: 5\noutput_encoding: latin-1\n")
    monkeypatch.chdir(tmp_path)
    assert render_page(experiment) == page.html


def test_the_number_of_threads_does_not_change_the_page(experiment, page):
    assert render_page(experiment, threads=4) == page.html


def test_one_model_has_nothing_to_choose(experiment):
    alone: Experiment = experiment._replace(settings=settings(models=["cnn"]))
    page = Page(render_page(alone))
    assert page.all("fieldset") == []
    assert Path("fc") not in {Path(unquote(a["href"])).parent for a, _ in page.all("a")}
