"""What all tests share."""

import os

import pytest
import yaml
from helpers import REPOSITORY, Workflow

# Tests compute on the processor with TensorFlow, whatever else the machine offers.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["KERAS_BACKEND"] = "tensorflow"


# Fixtures of a session that take long. All tests with such a fixture run in one process, so that it is made once.
SHARED = ("run_on", "cluster", "undisturbed", "completed", "finished", "copies", "summarized", "saved_epoch")


def pytest_itemcollected(item):
    """Tell pytest-xdist which tests belong in one process."""
    shared = next((name for name in SHARED if name in item.fixturenames), None)
    if shared:
        item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture
def workflow(tmp_path):
    """An empty working directory for the workflow."""
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The tiny experiment, run to the end once for all tests that look at its results; don't change them."""
    workflow = Workflow(tmp_path_factory.mktemp("finished"))
    workflow.run()
    return workflow


@pytest.fixture
def base_config():
    """The content of config.yaml. A test may change it."""
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
