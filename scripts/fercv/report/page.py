"""The page report.html: one file with all results of an experiment, which needs no network and no other file."""

import base64
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import quote

import jinja2
import pandas as pd
from docutils.core import publish_parts
from PIL import Image

from fercv.data.tables import TEXT, refuse_file
from fercv.report.computed import COMPUTED, Experiment, data_uri
from fercv.report.sections import SECTIONS, Computed, Picture, Section, Table, matching, shown_files
from fercv.report.tables import TableView, table_view

TEMPLATES = Path(__file__).parents[3] / "report"
EACH_MODEL = "each model"  # stands for the name of a model in the caption of several pictures
MOST_ROWS = 300  # of each csv that are on the page


class CodedPicture(NamedTuple):
    """A picture as it stands in the page itself.

    source: the picture as a data URI.
    width, height: in pixels.
    """

    source: str
    width: int
    height: int


class PictureView(NamedTuple):
    """A picture as the page shows it.

    title: see `fercv.report.sections.Picture`.
    file: path of the picture below the experiment's folder.
    source, width, height: see `CodedPicture`.
    model: the model that it is of, or "".
    """

    title: str
    file: str
    source: str
    width: int
    height: int
    model: str


class PicturesView(NamedTuple):
    """Pictures that have the same caption, such as those of all models.

    caption: HTML, whose names are escaped.
    pictures: at least one.
    """

    caption: str
    pictures: list[PictureView]


class Part(NamedTuple):
    """A part of a section: the name of the macro in page.html.jinja that shows it, and what it shows."""

    macro: str
    content: object


class SectionView(NamedTuple):
    """A section as the page shows it; `anchor` is what a link to it says."""

    title: str
    anchor: str
    text: str
    parts: list[Part]


def render_page(experiment: Experiment, threads: int = 1) -> str:
    """Write the page.

    Args:
        experiment: its files are those that its parts may show; of these, the page shows what SECTIONS name.
        threads: how many pictures are coded at a time; the page is the same.

    Returns:
        The HTML of the page. Texts of the user, such as names of classes and files, are escaped.

    Raises:
        InputError: a table or a picture is damaged.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"quoted": quote, "anchor": anchor}
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    coded = code_pictures(experiment, threads)
    sections = [view for section in SECTIONS if (view := section_view(section, experiment, coded)).parts]
    # The browser runs this script and no other, whatever stands in the page.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.jinja").render(
        experiment=experiment, sections=sections, style=style, script=script, script_digest=digest
    )


def code_pictures(experiment: Experiment, threads: int) -> dict[str, CodedPicture]:
    """Code all pictures of the page, each under its path below the experiment's folder.

    Coding them takes most of the time of the page. Pillow lets other threads run meanwhile.
    """
    shown = shown_files(experiment.files, experiment.settings["models"])
    files = [file for file in shown if file.endswith(".png")]
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(files, pool.map(lambda file: code_picture(experiment.folder / file), files), strict=True))


def code_picture(path: Path) -> CodedPicture:
    """Code a picture for the page."""
    content = io.BytesIO(path.read_bytes())
    try:
        with Image.open(content) as image:
            return CodedPicture(data_uri(image), *image.size)
    # Pillow names no exceptions for a damaged file: there are many.
    except Exception as error:
        refuse_file(path, f"is no picture ({error})")


def section_view(section: Section, experiment: Experiment, coded: Mapping[str, CodedPicture]) -> SectionView:
    """Prepare a section: those of its parts that the experiment has."""
    return SectionView(section.title, anchor(section.title), section.text, [*parts(section, experiment, coded)])


def anchor(title: str) -> str:
    """What a link to a title says."""
    return re.sub(r"\W+", "-", title.lower())


def parts(section: Section, experiment: Experiment, coded: Mapping[str, CodedPicture]) -> Iterator[Part]:
    """The parts of a section that the experiment has; `coded` are its pictures."""
    models = experiment.settings["models"]
    for part in section.parts:
        if isinstance(part, Computed):
            content = COMPUTED[part.name](experiment)
            if content is not None:
                yield Part("table" if isinstance(content, TableView) else part.name, content)
            continue
        found = matching(part.file, experiment.files, models)
        if isinstance(part, Picture):
            yield from (Part("pictures", view) for view in pictures_views(part, found, experiment.settings, coded))
        elif found:
            yield Part("table", read_table_view(part, found, experiment))


def pictures_views(
    part: Picture, found: dict[str, dict[str, str]], settings: Mapping, coded: Mapping[str, CodedPicture]
) -> Iterator[PicturesView]:
    """Prepare pictures and their captions. What is the same of several models is said once, of each model.

    Args:
        part: what SECTIONS say of them.
        found: the files, see `fercv.report.sections.matching`.
        settings: the experiment's configuration.
        coded: the pictures themselves.
    """
    files = {}
    for file, names in found.items():
        general = caption_html(part.caption, names | {"model": EACH_MODEL}, settings)
        files.setdefault(general, []).append(file)
    for general, group in files.items():
        alone = len(group) == 1
        caption = caption_html(part.caption, found[group[0]], settings) if alone else general
        views = [
            PictureView(part.title.format(**found[file]), file, *coded[file], found[file].get("model", ""))
            for file in group
        ]
        yield PicturesView(caption, views)


def caption_html(name: str, names: dict[str, str], settings: Mapping) -> str:
    """A caption as HTML. Snakemake's report fills in and shows the same captions.

    Args:
        name: of the file in the folder `report`, without `.rst`.
        names: what `snakemake.wildcards` has in it.
        settings: what `snakemake.config` is in it.
    """
    template = (TEMPLATES / f"{name}.rst").read_text(encoding="utf-8")
    snakemake = SimpleNamespace(wildcards=SimpleNamespace(**names), config=settings)
    text = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(template).render(snakemake=snakemake)
    # In captions, names are literals.
    text = text.replace(f"``{EACH_MODEL}``", EACH_MODEL)
    # A user's own settings of docutils do not count.
    settings = {"_disable_config": True, "raw_enabled": False, "file_insertion_enabled": False}
    return publish_parts(text, writer="html5", settings_overrides=settings)["fragment"]


def read_table_view(part: Table, found: dict[str, dict[str, str]], experiment: Experiment) -> TableView:
    """Read the csv files of a table, and put those of all models into one.

    Args:
        part: what SECTIONS say of it.
        found: the files, see `fercv.report.sections.matching`.
        experiment: whose tables they are.
    """
    tables, total = [], 0
    for file, names in found.items():
        table = experiment.table(file, {}, others=TEXT, may_be_empty=True)
        total += len(table)
        table = table[list(part.columns or table.columns)].head(MOST_ROWS)
        if "model" in names:
            table.insert(0, "model", names["model"])
        tables.append(table)
    return table_view(pd.concat(tables), part.title, part.text, list(found), total)
