"""What several tests of the engine use."""

import os

import pytest
from helpers import nvidia_smi_of

from fercv.engine import leases


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A stand-in for nvidia-smi that lists two GPUs, of which Keras can use none, and a folder for what is leased."""
    nvidia_smi_of(tmp_path, 2)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(leases.tempfile, "tempdir", str(tmp_path))
    # Set first, so that what a test makes of them is undone at its end.
    for variable in leases.VARIABLES:
        monkeypatch.setenv(variable, "-1")
        monkeypatch.delenv(variable)
