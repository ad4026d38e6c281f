import shutil

import pytest

from fercv import codedigest
from fercv.codedigest import code_digest


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of a small library and a script, so that a change can be made and its effect be seen."""
    folder = tmp_path / "fercv"
    folder.mkdir()
    (folder / "helper.py").write_text(
        '"""Doc."""\nfrom fercv.deep import value\n\ndef f():\n    """Doc."""\n    return value\n'
    )
    (folder / "deep.py").write_text("value = 1\n")
    (folder / "other.py").write_text("unused = 1\n")
    (tmp_path / "script.py").write_text("from fercv import helper\n\nprint(helper.f())\n")
    monkeypatch.setattr(codedigest, "LIBRARY", folder)
    codedigest.statements_and_imports.cache_clear()
    return tmp_path


def digest_after(library, name, text):
    before = code_digest(library / "script.py")
    (library / name).write_text(text)
    codedigest.statements_and_imports.cache_clear()
    return before, code_digest(library / "script.py")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("script.py", "# A comment.\nfrom fercv import (\n    helper,\n)\nprint( helper.f() )\n"),
        (
            "fercv/helper.py",
            "from fercv.deep import value\n\n\ndef f():\n    '''Another docstring.'''\n    return value\n",
        ),
        ("fercv/other.py", "unused = 2\n"),
    ],
)
def test_what_does_not_change_the_statements_changes_nothing(library, name, text):
    before, after = digest_after(library, name, text)
    assert before == after


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("script.py", "from fercv import helper\n\nprint(helper.f(), 1)\n"),
        ("fercv/helper.py", "from fercv.deep import value\n\ndef f():\n    return value + 1\n"),
        ("fercv/deep.py", "value = 2\n"),
    ],
)
def test_a_changed_statement_counts_also_behind_two_imports(library, name, text):
    before, after = digest_after(library, name, text)
    assert before != after


def test_the_place_of_the_repository_does_not_count(library, tmp_path_factory, monkeypatch):
    before = code_digest(library / "script.py")
    moved = tmp_path_factory.mktemp("moved") / "copy"
    shutil.copytree(library, moved)
    monkeypatch.setattr(codedigest, "LIBRARY", moved / "fercv")
    assert code_digest(moved / "script.py") == before
