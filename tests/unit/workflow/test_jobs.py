from fercv.workflow.jobs import check_code

import json
from types import SimpleNamespace

import pytest

from fercv.workflow import planning
from fercv.workflow.codedigest import code_digest
from fercv.workflow.errors import InputError


def job(digest):
    return SimpleNamespace(rule="plot_samples", params=SimpleNamespace(code={"digest": digest, "lookups": {}}))


@pytest.mark.parametrize("planned", [{}, {planning.PROGRAM: "what other files had"}], ids=["unknown", "other files"])
def test_a_job_runs_only_if_its_own_code_is_as_planned(monkeypatch, planned):
    monkeypatch.setenv(planning.VARIABLE, json.dumps(planned))
    check_code(job(code_digest("plot_samples")))
    with pytest.raises(InputError, match="plot_samples: its code under scripts/ has changed"):
        check_code(job("of other code"))


def test_the_digest_of_the_program_counts_each_file(monkeypatch, tmp_path):
    monkeypatch.setattr(planning, "SCRIPTS", tmp_path)
    (tmp_path / "library").mkdir()
    digests = [planning.program_digest()]
    for name, text in [("a.py", "x = 1"), ("a.py", "x = 2"), ("library/b.py", ""), ("library/c.py", "")]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        digests.append(planning.program_digest())
    (tmp_path / "a.pyc").touch()
    assert planning.program_digest() == digests[-1]
    (tmp_path / "a.py").rename(tmp_path / "d.py")
    digests.append(planning.program_digest())
    assert len(set(digests)) == 6
