"""The captions of the HTML report, whatever models, layers and experiments are called."""

from types import SimpleNamespace

import jinja2
import pytest
from docutils.core import publish_parts
from helpers import REPOSITORY


@pytest.mark.parametrize("caption", sorted(path.name for path in (REPOSITORY / "report").glob("*.rst")))
@pytest.mark.parametrize("name", ["fc_", "a__b_", "x_-_"])
def test_names_stand_in_captions_as_they_are(caption, name, base_config):
    """An underscore after a word is a link in reStructuredText."""
    text = (REPOSITORY / "report" / caption).read_text(encoding="utf-8")
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(model=name, layer=name),
        config=base_config | {"experiment": name, "models": [name, "cnn"]},
    )
    rendered = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(snakemake=snakemake)
    # Snakemake adds the addresses of all results.
    rendered += "\n\n.. _report.html: address\n"
    body = publish_parts(rendered, writer="html", settings_overrides={"warning_stream": False})["body"]
    assert "system-message" not in body and "problematic" not in body
    assert (name in body) == (name in rendered)
