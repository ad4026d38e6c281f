"""Show how far a run is, from any terminal on any machine that sees its results. It changes nothing.

    python scripts/watch.py                    # the run in this folder that began last, until it ends
    python scripts/watch.py results/mine       # that of another experiment
    python scripts/watch.py --once             # only as it is now
    python scripts/watch.py --picture          # also draw the accuracy of all folds so far: results/mine/progress.png

On a terminal this is a table that renews itself. Where the output goes to a file, there is a line every minute.
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from fercv.workflow.runs import Run, folds_of_run, newest_run, read_run, run_path
from fercv.workflow.status import SECONDS_IN_FILE, summarize
from fercv.workflow.view import headline, view

SECONDS_ON_TERMINAL = 2.0


def main() -> None:
    """Show the run until it ends; Ctrl-C leaves it alone and ends only this program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", help="folder of an experiment, as in results/demo")
    parser.add_argument("--once", action="store_true", help="show the run as it is now, and end")
    parser.add_argument("--picture", action="store_true", help="draw the accuracy of all folds so far, and end")
    arguments = parser.parse_args()
    directory, experiment = place(arguments.results)
    if arguments.picture:
        print(draw(directory, experiment))
    elif arguments.once:
        Console(highlight=False).print(shown(directory, experiment))
    elif sys.stdout.isatty():
        follow(directory, experiment)
    else:
        tell(directory, experiment)


def place(results: str | None) -> tuple[Path, str]:
    """The folder where Snakemake runs, and the name of the experiment."""
    if results is None:
        directory, experiment = Path(), newest_run(".")
        if experiment is None:
            sys.exit("no run has trained folds in this folder; name the results, as in: watch.py results/demo")
        return directory, experiment
    folder = Path(results).resolve()
    if folder.parent.name != "results":
        sys.exit(f"{results}: expected the folder of an experiment, as in results/demo")
    return folder.parents[1], folder.name


def read(directory: Path, experiment: str) -> Run:
    """The run's file."""
    path = run_path(directory, experiment)
    run = read_run(path)
    if run is None:
        sys.exit(f"{path}: there is no run that can be read; Snakemake writes this file when it begins to train folds")
    return run


def shown(directory: Path, experiment: str):
    """The view of the run as it is now."""
    run = read(directory, experiment)
    return view(experiment, run, folds_of_run(run, directory, experiment), time.time())


def follow(directory: Path, experiment: str) -> None:
    """Renew the view until the run ends."""
    with Live(shown(directory, experiment), auto_refresh=False) as live:
        while read(directory, experiment).ended is None:
            time.sleep(SECONDS_ON_TERMINAL)
            live.update(shown(directory, experiment), refresh=True)


def tell(directory: Path, experiment: str) -> None:
    """Print a line about the run now and every minute, until it ends."""
    while True:
        run, now = read(directory, experiment), time.time()
        folds = folds_of_run(run, directory, experiment)
        if run.ended is not None:
            print(headline(experiment, run, folds, now))
            return
        print(summarize(folds, now), flush=True)
        time.sleep(SECONDS_IN_FILE)


def draw(directory: Path, experiment: str) -> Path:
    """Draw the accuracy of all folds so far; return the picture's path."""
    import pandas as pd

    from fercv.figures.drawing import save_figure
    from fercv.figures.progress import progress_figure

    folds = folds_of_run(read(directory, experiment), directory, experiment)
    rows = [
        {"model": model, "fold": fold, "is_done": at.state == "done"}
        | {key: line.get(key) for key in ("epoch", "accuracy", "val_accuracy")}
        for (model, fold), at in folds.items()
        for line in (at.progress.epochs if at.progress else [])
    ]
    if not rows:
        sys.exit("no fold has trained an epoch yet")
    path = directory / "results" / experiment / "progress.png"
    numbers = {model: sum(of == model for of, _ in folds) for model, _ in folds}
    save_figure(progress_figure(pd.DataFrame(rows), numbers, experiment), path)
    return path


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
