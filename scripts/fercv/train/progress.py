"""What a training says while it runs: in its log, and in the file of progress of a fold."""

from fercv.workflow.jobs import STARTED

import logging
import time

from fercv.workflow.progress import duration

log = logging.getLogger("fercv")

# Lines with this mark also go to the terminal, see `fercv.workflow.jobs.run`.
SHOWN = {"on_terminal": True}
# How many batches, or how many seconds of them, tell how long the others will take. The first batch takes longer.
BATCHES_TIMED, SECONDS_TIMED = 10, 2.0


class Progress:
    """The progress of one model's training.

    Args:
        task: of the run, see `fercv.train.loop.Task`. Nobody else speaks for a training without a file of progress, so
            its lines go to the terminal.
        parameters: number of the model's parameters.
        history: of the epochs that a checkpoint has brought, see `fercv.train.loop.Trained`.
        timing: of these epochs.
    """

    def __init__(self, task, parameters: int, history: list[dict], timing: list[dict]):
        self.task, self.parameters, self.epochs = task, parameters, task.definition["epochs"]
        self.shown = SHOWN if task.progress is None else None
        self.batches_left = (self.epochs - len(history)) * task.steps
        self.timed, self.began, self.estimated = 0, 0.0, False
        self.done, self.seconds = 0, 0.0
        self.tell(
            "start",
            epochs=self.epochs,
            epochs_done=len(history),
            steps=task.steps,
            images=task.steps * task.batch_size,
            validation_images=0 if task.validation is None else len(task.validation),
            parameters=parameters,
            startup_seconds=round(time.monotonic() - STARTED, 1),
        )
        for record, took in zip(history, timing, strict=True):
            self.tell_epoch(record, took)

    def tell(self, event: str, **values) -> None:
        """Add a line to the file of progress, if the fold has one."""
        if self.task.progress is not None:
            self.task.progress.add(event, **values)

    def tell_epoch(self, record: dict, timing: dict) -> None:
        """Add the line of an epoch."""
        self.done = record["epoch"]
        self.seconds += timing["seconds"] + timing["validation_seconds"]
        values = record | {"epochs": self.epochs, "images_per_second": timing["images_per_second"]}
        self.tell("epoch", **values, seconds=round(self.seconds, 3))

    def batch_done(self) -> None:
        """Take note of a batch. Once a few are timed, say how long the training will take."""
        self.batches_left -= 1
        now = time.monotonic()
        if self.began == 0:
            self.began = now
        elif not self.estimated:
            self.timed += 1
            if self.timed == BATCHES_TIMED or now - self.began > SECONDS_TIMED:
                self.estimated = True
                seconds = (now - self.began) / self.timed
                self.tell("speed", images_per_second=round(self.task.batch_size / seconds, 1))
                log.info(
                    "%s: %s images, %s parameters, %d epochs: about %s",
                    self.task.name, f"{len(self.task.training):,}", f"{self.parameters:,}", self.epochs,
                    duration(now - STARTED + seconds * self.batches_left), extra=self.shown,
                )  # fmt: skip

    def epoch_done(self, record: dict, timing: dict) -> None:
        """Say how an epoch went.

        Args:
            record: the epoch's entry in the history.
            timing: its entry in the timing.
        """
        self.tell_epoch(record, timing)
        left = (timing["seconds"] + timing["validation_seconds"]) * (self.epochs - self.done)
        validated = "validation loss {val_loss:.4f}, validation accuracy {val_accuracy:.4f}, "
        log.info(
            "%s epoch %d/%d: loss %.4f, accuracy %.4f, %s%.0f images/s%s",
            self.task.name, self.done, self.epochs, record["loss"], record["accuracy"],
            "" if self.task.validation is None else validated.format_map(record),
            timing["images_per_second"], f", {duration(left)} left" if left else "", extra=self.shown,
        )  # fmt: skip

    def end(self) -> None:
        """Say that the training is over."""
        self.tell("end", epochs_done=self.done)
