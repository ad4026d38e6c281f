import pytest
from snakemake.persistence.file import FilePersistence

from fercv.workflow.finished import FINAL, checkpoint_path, finished_mark, remove_recorded


@pytest.fixture
def two_folds(tmp_path):
    """Two folds with their checkpoints and outputs, and Snakemake's own records of files."""
    for fold in ("00", "01"):
        path = checkpoint_path(tmp_path, "an-experiment", "a_cnn", fold)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        finished_mark(path).touch()
        outputs = tmp_path / "results" / "an-experiment" / "a_cnn" / "folds" / fold
        outputs.mkdir(parents=True)
        (outputs / "model.keras").touch()
    folder = tmp_path / ".snakemake"
    return tmp_path, FilePersistence(path=folder, nolock=True)


def left(directory):
    return sorted(path.name for path in (directory / "results" / "an-experiment").glob("checkpoints/*"))


def test_the_checkpoints_of_recorded_folds_are_removed(two_folds):
    directory, _ = two_folds
    checkpoint_path(directory, "an-experiment", "a_cnn", "01").with_suffix(".checkpoint.part").touch()
    remove_recorded(directory, "an-experiment")
    assert not (directory / "results" / "an-experiment" / "checkpoints").exists()


def test_the_checkpoint_of_a_final_model_is_removed_once_its_own_outputs_are_recorded(two_folds):
    directory, persistence = two_folds
    path = checkpoint_path(directory, "an-experiment", "a_cnn", FINAL)
    path.touch()
    finished_mark(path).touch()
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_final.checkpoint", "a_cnn_final.finished"]
    outputs = directory / "results" / "an-experiment" / "a_cnn" / "final"
    outputs.mkdir()
    (outputs / "model.keras").touch()
    persistence._mark_incomplete("results/an-experiment/a_cnn/final/training.json", None)
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_final.checkpoint", "a_cnn_final.finished"]
    for mark in (directory / ".snakemake" / "incomplete").iterdir():
        mark.unlink()
    remove_recorded(directory, "an-experiment")
    assert left(directory) == []


@pytest.mark.parametrize("output", ["model.keras", "timing.csv"])
def test_the_checkpoint_of_a_fold_that_is_not_recorded_stays(two_folds, output):
    directory, persistence = two_folds
    persistence._mark_incomplete(f"results/an-experiment/a_cnn/folds/01/{output}", None)
    persistence._mark_incomplete("results/another-experiment/a_cnn/folds/00/model.keras", None)
    persistence._mark_incomplete("x" * 400, None)
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_01.checkpoint", "a_cnn_01.finished"]


def test_the_checkpoint_of_a_fold_without_outputs_stays(two_folds):
    directory, _ = two_folds
    (directory / "results" / "an-experiment" / "a_cnn" / "folds" / "00" / "model.keras").unlink()
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_00.checkpoint", "a_cnn_00.finished"]


def test_the_checkpoint_of_a_fold_that_failed_stays_beside_outputs_that_were_kept(two_folds):
    """With --keep-incomplete Snakemake keeps the outputs, but removes its own marks."""
    directory, _ = two_folds
    finished_mark(checkpoint_path(directory, "an-experiment", "a_cnn", "00")).unlink()
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_00.checkpoint"]


def test_checkpoints_that_cannot_be_removed_cost_a_warning(two_folds, monkeypatch, caplog):
    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.unlink", refused)
    remove_recorded(two_folds[0], "an-experiment")
    assert "Read-only file system" in caplog.text
