import pytest

from fercv.workflow import planning
from fercv.workflow.planning import as_planned, config_digest


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment where nothing is planned yet. What a test plans is removed at its end."""
    monkeypatch.setenv(planning.VARIABLE, "{}")


def test_a_job_on_a_cluster_learns_what_was_planned():
    assert as_planned("configuration", "old", on_cluster=False) == "old"
    assert as_planned("code of train_fold", "1", on_cluster=False) == "1"
    assert as_planned("configuration", "new", on_cluster=True) == "old"
    assert as_planned("code of train_fold", "2", on_cluster=True) == "1"


def test_who_plans_again_plans_with_what_there_is_now():
    as_planned("configuration", "old", on_cluster=False)
    assert as_planned("configuration", "new", on_cluster=False) == "new"
    assert as_planned("configuration", "newer", on_cluster=True) == "new"


def test_where_the_scheduler_passes_nothing_on_a_job_takes_what_there_is(monkeypatch):
    monkeypatch.delenv(planning.VARIABLE)
    assert as_planned("configuration", "new", on_cluster=True) == "new"


def test_the_digest_of_a_configuration_is_that_of_its_values():
    assert config_digest({"a": 1, "b": {"c": [2]}}) == config_digest({"b": {"c": [2]}, "a": 1})
    assert config_digest({"a": 1}) != config_digest({"a": 2})
