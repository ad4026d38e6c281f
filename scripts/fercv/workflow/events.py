"""Files for TensorBoard, which show the curves of all folds while they train.

Snakemake's main process writes them, from what the folds say in their files of progress. So the training knows nothing
of TensorBoard, whatever computes it, and the machines that train need not have it. An event file is its fold's file of
progress in another form: the same lines give the same bytes, so it can be brought up to date at any time.
"""

import io
import logging
from collections.abc import Mapping
from pathlib import Path

from fercv.workflow.progress import FoldProgress

log = logging.getLogger("fercv")

# What TensorBoard calls the values of an epoch. It puts names with the same beginning side by side.
TAGS = {
    f"{measure}/{images}": f"{prefix}{measure}"
    for measure in ("accuracy", "loss")
    for images, prefix in {"training": "", "clean_training": "clean_", "validation": "val_"}.items()
}
TAGS |= {"progress/learning_rate": "learning_rate", "progress/images_per_second": "images_per_second"}
NAME = "events.out.tfevents"  # with which the name of each file begins for which TensorBoard looks


class EventFiles:
    """The event files of an experiment's folds. If they cannot be written, a warning says so once.

    Args:
        directory: where Snakemake runs.
        experiment: name of the experiment.
    """

    def __init__(self, directory: str | Path, experiment: str):
        self.folder = Path(directory, "results", experiment, "tensorboard")
        self.written, self.has_warned = {}, False

    def update(self, folds: Mapping[tuple[str, str], FoldProgress | None]) -> None:
        """Write what is new.

        Args:
            folds: what each fold, (model, fold), says; None if it has not begun to train.
        """
        try:
            for fold, progress in folds.items():
                if progress and self.written.get(fold) != (state := (progress.start["time"], progress.epochs_done)):
                    write_events(self.folder.joinpath(*fold), progress)
                    self.written[fold] = state
        except OSError as error:
            if not self.has_warned:
                log.warning("%s cannot be written (%s); TensorBoard does not show the folds", self.folder, error)
            self.has_warned = True


def write_events(folder: Path, progress: FoldProgress) -> None:
    """Bring the event file of a fold up to date, and remove those of earlier trainings.

    Args:
        folder: of the fold's event file; TensorBoard takes its path for the name of a run.
        progress: what the fold says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.{progress.start['time']:.0f}"
    # TensorBoard keeps the file open. It goes on behind what it has read, which stays as it was.
    path.write_bytes(events(progress))
    for other in folder.glob(f"{NAME}.*"):
        if other != path:
            other.unlink()


def events(progress: FoldProgress) -> bytes:
    """The content of a fold's event file."""
    # An optional package, which takes a while to import.
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    file, began = io.BytesIO(), progress.start["time"]
    records = [
        Event(wall_time=began, file_version="brain.Event:2"),
        # If the fold was stopped and goes on, its first epochs come again. Then TensorBoard drops the ones that it has.
        Event(wall_time=began, step=1, session_log=SessionLog(status=SessionLog.START)),
    ]
    for line in progress.epochs:
        numbers = {tag: line[key] for tag, key in TAGS.items() if isinstance(line.get(key), int | float)}
        values = [Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()]
        records.append(Event(wall_time=line["time"], step=line["epoch"], summary=Summary(value=values)))
    writer = RecordWriter(file)
    for record in records:
        writer.write(record.SerializeToString())
    return file.getvalue()
