"""What several tests of the engine use."""

import os

import pytest
from helpers import nvidia_smi_of

from fercv.engine import leases


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A stand-in for nvidia-smi, which lists two GPUs that Keras can't use, and an empty folder for the lock files."""
    nvidia_smi_of(tmp_path, 2)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(leases.tempfile, "tempdir", str(tmp_path))
    # monkeypatch restores only variables that it has set. So it sets each one before it removes it.
    for variable in leases.VARIABLES:
        monkeypatch.setenv(variable, "-1")
        monkeypatch.delenv(variable)
