"""A run as a table: what its models and the folds in training have reached, and what is left."""

import math
import statistics
from collections.abc import Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fercv.workflow.progress import duration
from fercv.workflow.runs import FoldKey, FoldStatus, Run
from fercv.workflow.status import clock, rest, seconds_left

# A fold says something after each epoch. One that is silent for longer than these epochs, and than these seconds, may
# have been killed.
SILENT_EPOCHS, SILENT_SECONDS = 3, 120


def view(experiment: str, run: Run, folds: Mapping[FoldKey, FoldStatus], now: float) -> Group:
    """The whole view: a line about the run, a table of its models, and one of the folds in training.

    Args:
        experiment: name of the experiment.
        run: what the run's file says.
        folds: where its folds are, see `runs.folds_of_run`.
        now: seconds since 1970.
    """
    parts = [Text(headline(experiment, run, folds, now), style="bold"), models_table(folds)]
    training = {fold: at.progress for fold, at in folds.items() if at.state == "training"}
    if training and run.ended is None:
        parts.append(folds_table(training, now))
    silent = [" ".join(fold) for fold, progress in training.items() if is_silent(progress, now)]
    if silent and run.ended is None:
        parts.append(Text(f"No word for long from {', '.join(silent)}: the run may have been killed.", style="red"))
    return Group(*parts)


def headline(experiment: str, run: Run, folds: Mapping[FoldKey, FoldStatus], now: float) -> str:
    """How far the run is, in one sentence or two."""
    states = [at.state for at in folds.values()]
    text = f"{experiment}: {states.count('done')} of {len(folds)} folds done"
    if failed := states.count("failed"):
        text += f", {failed} failed"
    if run.ended is not None:
        return f"{text}. The run ended at {clock(run.ended, now)}."
    text += f", {states.count('training')} in training, {states.count('waiting')} waiting."
    left, unknown = seconds_left(folds, now)
    if left == 0:
        return text
    more = f", not counting {', '.join(unknown)}" if unknown else f", at {clock(now + left, now)}"
    return f"{text} Training ends in about {duration(left)}{more}."


def models_table(folds: Mapping[FoldKey, FoldStatus]) -> Table:
    """A row for each model: how many of its folds are done, in training and so on, and what the former reached."""
    table = Table("Model", box=None, pad_edge=False)
    for column in ("Done", "In training", "Waiting", "Failed", "Validation accuracy"):
        table.add_column(column, justify="right")
    for model in dict.fromkeys(model for model, _ in folds):
        of_model = [at for (of, _), at in folds.items() if of == model]
        states = [at.state for at in of_model]
        counts = [states.count(state) for state in ("done", "training", "waiting", "failed")]
        table.add_row(Text(model), *[str(count) if count else "-" for count in counts], reached(of_model))
    return table


def reached(of_model: list[FoldStatus]) -> str:
    """Mean and standard deviation of the validation accuracy of the folds that are done."""
    last = [at.progress.epochs[-1]["val_accuracy"] for at in of_model if at.state == "done" and is_told(at)]
    if not last:
        return "-"
    return f"{statistics.mean(last):.3f}" + (f" ± {statistics.stdev(last):.3f}" if len(last) > 1 else "")


def is_told(at: FoldStatus) -> bool:
    """Whether a fold has told of an epoch."""
    return at.progress is not None and bool(at.progress.epochs)


def folds_table(training: Mapping[FoldKey, object], now: float) -> Table:
    """A row for each fold in training.

    Args:
        training: what each of them says of itself, a `FoldProgress`.
        now: seconds since 1970.
    """
    table = Table("Fold", box=None, pad_edge=False)
    for column in ("Epoch", "Accuracy", "Validation accuracy", "Images/s", "Left", "Last word"):
        table.add_column(column, justify="right")
    for (model, fold), progress in training.items():
        last = progress.epochs[-1] if progress.epochs else {}
        speed = last.get("images_per_second") or (progress.speed or {}).get("images_per_second")
        left = math.nan if progress.seconds_an_epoch is None else rest(progress, now)
        epoch = min(progress.epochs_done + 1, progress.start["epochs"])
        table.add_row(
            Text(f"{model} {fold}"),
            f"{epoch}/{progress.start['epochs']}",
            number(last.get("accuracy"), ".3f"),
            number(last.get("val_accuracy"), ".3f"),
            number(speed, ",.0f"),
            "-" if math.isnan(left) else duration(max(left, 1)),
            f"{duration(max(1, now - progress.last_seen))} ago",
        )
    return table


def number(value, form: str) -> str:
    """A number in a format; a dash for what a file does not say."""
    return format(value, form) if isinstance(value, int | float) else "-"


def is_silent(progress, now: float) -> bool:
    """Whether a fold in training has said nothing for so long that it may have been killed."""
    usual = progress.seconds_an_epoch or 0.0
    return now - progress.last_seen > max(SILENT_SECONDS, SILENT_EPOCHS * usual)
