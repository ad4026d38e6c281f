"""What the terminal shows while folds train: how far the whole run is, and about when its training ends.

Several folds train at a time, each in a process of its own, perhaps on other machines. So none of them speaks itself:
Snakemake's main process reads their files of progress, and says in one line how far they all are.

The package snakemake-logger-plugin-rich (0.5) was tried instead. It knows jobs, but no epochs, it writes no lines where
there is no terminal, and `--logger rich TARGET` takes the target for one of its own arguments.
"""

import atexit
import contextlib
import datetime
import logging
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from fercv.workflow.ending import event_of, own_handlers
from fercv.workflow.events import EventFiles
from fercv.workflow.progress import FoldProgress, duration
from fercv.workflow.runs import FoldKey, FoldStatus, Run, folds_of_run, plan, run_path, write_run

# Between two lines about the whole run, if it is read on a terminal, and if it goes to a file.
SECONDS_ON_TERMINAL, SECONDS_IN_FILE = 10, 60
LONG = 3600.0
NAMED = 4  # folds of a model in training that are named one by one


class Status:
    """The lines about the whole run, said by a thread of Snakemake's main process.

    Args:
        directory: where Snakemake runs.
        experiment: name of the experiment.
        tensorboard: whether to write files for TensorBoard, too.
    """

    def __init__(self, directory: str | Path, experiment: str, tensorboard: bool = False):
        self.place = directory, experiment
        self.event_files = EventFiles(directory, experiment) if tensorboard else None
        self.folds, self.jobs, self.finished, self.told = {}, {}, set(), set()
        self.wake, self.is_over, self.thread = threading.Event(), False, None
        self.said, self.gives_advice, self.of_run = "", True, None

    def start(self, folds: Mapping[FoldKey, bool], logger: logging.Logger) -> None:
        """Begin to say how far the run is.

        Args:
            folds: all folds that the run is about, and whether it trains them. The others are already done.
            logger: Snakemake's.
        """
        # What a fold's file says that an earlier run has left does not count.
        planned = {fold: plan(*self.place, fold, trains) for fold, trains in folds.items()}
        self.of_run = Run(began=time.time(), ended=None, folds=planned, failed=set())
        if self.event_files:
            self.read()
        if not any(folds.values()):
            return
        write_run(run_path(*self.place), self.of_run)
        logger.addFilter(self.note)
        seconds = SECONDS_ON_TERMINAL if sys.stderr.isatty() else SECONDS_IN_FILE
        arguments = (seconds, own_handlers(logger))
        self.thread = threading.Thread(target=self.run, args=arguments, name="status", daemon=True)
        self.thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Say which folds have ended since the last line, and no more. The run's file then says that it is over."""
        if self.thread is not None and not self.is_over:
            self.is_over = True
            self.wake.set()
            # A file system may hang, and must not keep Snakemake from ending.
            self.thread.join(timeout=5)

    def note(self, record: logging.LogRecord) -> bool:
        """Take note of a fold's job that starts, fails or has ended. As a filter it lets everything pass."""
        event = event_of(record)
        if event == "job_info" and record.rule_name == "train_fold":
            fold = (record.wildcards["model"], record.wildcards["fold"])
            self.jobs[record.jobid] = fold
            # If the job is tried again, its file still says how far the first attempt came.
            self.of_run.folds[fold] = plan(*self.place, fold, trains=True)
            self.of_run.failed.discard(fold)
        elif event == "job_error" and record.jobid in self.jobs:
            self.of_run.failed.add(self.jobs[record.jobid])
        elif event == "job_finished" and record.job_id in self.jobs:
            self.finished.add(self.jobs[record.job_id])
            self.wake.set()
        return True

    def run(self, seconds: float, handlers: list[logging.Handler]) -> None:
        """What the thread does: say a line every `seconds`, and one for each fold that ends."""
        due = time.monotonic() + seconds
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more, or stderr is closed
            while not self.is_over:
                self.wake.wait(max(0.0, due - time.monotonic()))
                self.wake.clear()
                if self.is_over:
                    self.of_run = self.of_run._replace(ended=time.time())
                self.look()
                lines = self.ended()
                if time.monotonic() >= due and not self.is_over:
                    lines += self.summary()
                    due = time.monotonic() + seconds
                tell(lines, handlers)

    def look(self) -> None:
        """Read the files of the folds, and write the run's own file, which says which have failed."""
        write_run(run_path(*self.place), self.of_run)
        self.read()

    def read(self) -> None:
        """Read the files of the folds, and write what they say for TensorBoard, if the run is to do so."""
        self.folds = {
            fold: at._replace(state="done") if fold in self.finished else at
            for fold, at in folds_of_run(self.of_run, *self.place).items()
        }
        if self.event_files:
            self.event_files.update({fold: at.progress for fold, at in self.folds.items()})

    def ended(self) -> list[str]:
        """A line for each fold whose training has ended since this was last called."""
        lines = []
        for (model, fold), (state, progress, is_earlier) in self.folds.items():
            is_news = state == "done" and not is_earlier and (model, fold) not in self.told
            if is_news and progress and progress.epochs:
                self.told.add((model, fold))
                last = progress.epochs[-1]
                lines.append(
                    f"{model} fold {fold}: {last['epoch']} epochs in {duration(last['seconds'])}, "
                    f"validation accuracy {last['val_accuracy']:.4f}"
                )
        return lines

    def summary(self) -> list[str]:
        """The line about the whole run; none as long as no fold trains, or if it would repeat the last one."""
        now = time.time()
        line = summarize(self.folds, now)
        if line == self.said or not any(at.state == "training" for at in self.folds.values()):
            return []
        self.said, lines = line, [line]
        if self.gives_advice and seconds_left(self.folds, now)[0] > LONG:
            self.gives_advice = False
            lines.append("A smaller `scale`, fewer `models` or a lower `folds.number` take less.")
        return lines


def tell(lines: list[str], handlers: list[logging.Handler]) -> None:
    """Write lines to stderr, but not into the middle of a message that Snakemake writes."""
    if not lines:
        return
    with contextlib.ExitStack() as stack:
        for handler in handlers:
            handler.acquire()
            stack.callback(handler.release)
        sys.stderr.write("\n".join([*lines, ""]))
        sys.stderr.flush()


def summarize(folds: Mapping[FoldKey, FoldStatus], now: float) -> str:
    """How far a run is, in one line.

    Args:
        folds: the folds that it is about.
        now: seconds since 1970.
    """
    models = dict.fromkeys(model for model, _ in folds)
    parts = [of_model(model, {fold: at for (of, fold), at in folds.items() if of == model}) for model in models]
    left, unknown = seconds_left(folds, now)
    if left == 0:
        return "; ".join(parts)
    more = f"not counting {', '.join(unknown)}" if unknown else f"at {clock(now + left, now)}"
    return "; ".join([*parts, f"training ends in about {duration(left)}, {more}"])


def of_model(model: str, folds: Mapping[str, FoldStatus]) -> str:
    """How far the folds of one model are."""
    states = [at.state for at in folds.values()]
    text = f"{model}: {states.count('done')} of {len(folds)} folds done"
    training = {fold: at.progress for fold, at in folds.items() if at.state == "training"}
    epochs = {fold: min(progress.epochs_done + 1, progress.start["epochs"]) for fold, progress in training.items()}
    if len(training) > NAMED:
        last = max(progress.start["epochs"] for progress in training.values())
        text += f", {len(training)} in epochs {min(epochs.values())} to {max(epochs.values())} of {last}"
    else:
        for fold, progress in training.items():
            text += f", fold {fold} in epoch {epochs[fold]}/{progress.start['epochs']}"
    failed = states.count("failed")
    return text + (f", {failed} failed" if failed else "")


def seconds_left(folds: Mapping[FoldKey, FoldStatus], now: float) -> tuple[float, list[str]]:
    """About how long the training of a run still takes.

    The folds that have not begun are taken to last as long as those of their model that have, and to train as many at a
    time as there were on average so far. Measured so are also the start of each job, and all else that it waited for.

    Args:
        folds: the folds that the run is about.
        now: seconds since 1970.

    Returns:
        Seconds; and the models that these do not count, because none of their folds has told its speed yet.
    """
    begun = {fold: at.progress for fold, at in folds.items() if at.progress is not None and not at.is_earlier}
    known = {fold: whole_fold(progress) for fold, progress in begun.items() if progress.seconds_an_epoch is not None}
    training = [rest(begun[fold], now) for fold in known if folds[fold].state == "training"]
    waiting, unknown = [], {}
    for (model, fold), at in folds.items():
        if at.state == "waiting" or (at.state == "training" and (model, fold) not in known):
            took = [seconds for (of, _), seconds in known.items() if of == model]
            if took:
                waiting.append(sum(took) / len(took))
            else:
                unknown[model] = None
    left = max([*training, (sum(training) + sum(waiting)) / folds_at_a_time(folds, now)])
    return left, list(unknown)


def whole_fold(progress: FoldProgress) -> float:
    """Seconds from the start of a fold's job to the end of its training, if it does not go on from a checkpoint."""
    return progress.start["startup_seconds"] + progress.seconds_of_all_epochs


def rest(progress: FoldProgress, now: float) -> float:
    """Seconds until the training of a fold ends."""
    in_epoch = min(max(0.0, now - progress.last_seen), progress.seconds_an_epoch)
    return (progress.start["epochs"] - progress.epochs_done) * progress.seconds_an_epoch - in_epoch


def folds_at_a_time(folds: Mapping[FoldKey, FoldStatus], now: float) -> float:
    """How many folds of a run have trained at a time, on average since the first one began; 1 at least."""
    spans = []
    for state, progress, is_earlier in folds.values():
        if progress is not None and not is_earlier:
            until = now if state == "training" else progress.last_seen
            spans.append((progress.start["time"] - progress.start["startup_seconds"], until))
    if not spans:
        return 1.0
    all_of_it = now - min(began for began, _ in spans)
    return max(1.0, sum(until - began for began, until in spans) / max(1.0, all_of_it))


def clock(then: float, now: float) -> str:
    """A time of day for a message, with the day where it is not today: "14:35", "Fri 14:35", "2026-12-24 14:35"."""
    then, now = datetime.datetime.fromtimestamp(then), datetime.datetime.fromtimestamp(now)
    days = (then.date() - now.date()).days
    return then.strftime("%H:%M" if days == 0 else "%a %H:%M" if days < 7 else "%Y-%m-%d %H:%M")
