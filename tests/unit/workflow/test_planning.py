import pytest

from fercv.workflow import planning
from fercv.workflow.planning import planned_digest, settings_digest


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing planned yet; what a test plans is forgotten."""
    monkeypatch.setenv(planning.VARIABLE, "{}")


def test_a_job_on_a_cluster_learns_what_was_planned():
    assert planned_digest("settings", "old", on_cluster=False) == "old"
    assert planned_digest("code of train_fold", "1", on_cluster=False) == "1"
    assert planned_digest("settings", "new", on_cluster=True) == "old"
    assert planned_digest("code of train_fold", "2", on_cluster=True) == "1"


def test_who_plans_again_plans_with_what_there_is_now():
    planned_digest("settings", "old", on_cluster=False)
    assert planned_digest("settings", "new", on_cluster=False) == "new"
    assert planned_digest("settings", "newer", on_cluster=True) == "new"


def test_where_the_scheduler_passes_nothing_on_a_job_takes_what_there_is(monkeypatch):
    monkeypatch.delenv(planning.VARIABLE)
    assert planned_digest("settings", "new", on_cluster=True) == "new"


def test_the_digest_of_settings_is_that_of_their_values():
    assert settings_digest({"a": 1, "b": {"c": [2]}}) == settings_digest({"b": {"c": [2]}, "a": 1})
    assert settings_digest({"a": 1}) != settings_digest({"a": 2})
