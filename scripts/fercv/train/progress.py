"""What a training run says while it runs: how long it will take, and a line for an epoch."""

import logging
import time

from fercv.workflow import jobs

log = logging.getLogger("fercv")

# Lines with this mark also go to the terminal, see `fercv.workflow.jobs.run`.
SHOWN = {"on_terminal": True}
SECONDS_BETWEEN_LINES = 10
# How many batches, or how many seconds of them, tell how long the others will take. The first batch takes longer.
BATCHES_TIMED, SECONDS_TIMED = 10, 2.0
LONG = 3600.0


class Progress:
    """The progress of one run.

    Args:
        task: of the run, see `fercv.train.loop.Task`.
        parameters: number of the model's parameters.
        done: epochs that a checkpoint has brought.
    """

    def __init__(self, task, parameters: int, done: int):
        self.task, self.parameters = task, parameters
        self.batches_left = (task.definition["epochs"] - done) * task.steps
        self.timed, self.began, self.estimated = 0, 0.0, False
        self.last_shown = time.monotonic()

    def batch_done(self) -> None:
        """Take note of a batch. Once a few are timed, say how long the run will take."""
        self.batches_left -= 1
        now = time.monotonic()
        if self.began == 0:
            self.began = now
        elif not self.estimated:
            self.timed += 1
            if self.timed == BATCHES_TIMED or now - self.began > SECONDS_TIMED:
                self.estimated = True
                left = (now - self.began) / self.timed * self.batches_left
                self.say_estimate(now - jobs.STARTED + left)

    def say_estimate(self, seconds: float) -> None:
        """Say how long this fold will take, and all folds of the model one after the other.

        Args:
            seconds: from the start of the job to the end of its training.
        """
        task, folds = self.task, self.task.folds
        text = (
            f"{task.name}: {len(task.training):,} images, {self.parameters:,} parameters, "
            f"{task.definition['epochs']} epochs: about {duration(seconds)}"
        )
        if folds > 1:
            text += f" for this fold, {folds} folds one after the other {duration(folds * seconds)}"
        if folds > 1 and folds * seconds > LONG:
            text += "; a smaller `scale`, fewer `models` or a lower `folds.number` take less"
        log.info(text, extra=SHOWN if folds > 1 else {})

    def epoch_done(self, record: dict, timing: dict) -> None:
        """Say how an epoch went; on the terminal only if the last line is some time ago, or for the last epoch.

        Args:
            record: the epoch's entry in the history.
            timing: its entry in the timing.
        """
        epoch, epochs = record["epoch"], self.task.definition["epochs"]
        left = (timing["seconds"] + timing["validation_seconds"]) * (epochs - epoch)
        now = time.monotonic()
        is_shown = epoch == epochs or now - self.last_shown >= SECONDS_BETWEEN_LINES
        self.last_shown = now if is_shown else self.last_shown
        log.info(
            "%s epoch %d/%d: loss %.4f, accuracy %.4f, validation loss %.4f, validation accuracy %.4f, %.0f images/s%s",
            self.task.name, epoch, epochs, record["loss"], record["accuracy"], record["val_loss"],
            record["val_accuracy"], timing["images_per_second"], f", {duration(left)} left" if left else "",
            extra=SHOWN if is_shown else {},
        )  # fmt: skip


def duration(seconds: float) -> str:
    """A time for a message, in its largest fitting unit: "40 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    if seconds < 129600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
