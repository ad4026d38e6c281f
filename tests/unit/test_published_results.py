"""The figures of docs/fer2013.md are those of the files in docs/results, which the workflow wrote."""

import pandas as pd
import pytest
from helpers import REPOSITORY

PAGE = REPOSITORY / "docs" / "fer2013.md"
RESULTS = REPOSITORY / "docs" / "results"
MODELS = ["cnn", "fc", "fc_dropout"]


def models_of(experiment):
    """The models of which there are results."""
    return [model for model in MODELS if (RESULTS / experiment / model).exists()]


def read(*parts):
    return pd.read_csv(RESULTS.joinpath(*parts), keep_default_na=False, na_values=[""])


def last_accuracies(experiment, model):
    """Accuracy in training, as it is and measured cleanly, after the last epoch: the means over the folds."""
    histories = [pd.read_csv(path) for path in (RESULTS / experiment / model / "folds").glob("*/history.csv")]
    assert len(histories) == 20
    return pd.DataFrame(history.iloc[-1] for history in histories)[["accuracy", "clean_accuracy"]].mean()


def cross_validation(experiment):
    """A row for each model."""
    for model in models_of(experiment):
        summary = read(experiment, model, "summary.csv").set_index("measure")
        accuracy, balanced = summary.loc["accuracy"], summary.loc["balanced_accuracy"]
        yield (
            f"| {model} | {accuracy['mean']:.3f} | {accuracy['low']:.3f} to {accuracy['high']:.3f} | "
            f"{accuracy['standard_deviation']:.3f} | {accuracy['minimum']:.3f} to {accuracy['maximum']:.3f} | "
            f"{balanced['mean']:.3f} | {' | '.join(f'{value:.3f}' for value in last_accuracies(experiment, model))} |"
        )


def comparison(experiment):
    """A row for each pair of models."""
    table = read(experiment, "comparison.csv")
    for _, row in table[table["versus"].notna() & (table["measure"] == "accuracy")].iterrows():
        yield f"| {row['model']} minus {row['versus']} | {row['mean']:+.3f} | {row['low']:+.3f} to {row['high']:+.3f} |"


def classes(experiment):
    """A row for each class: its recall, and what the cnn takes its images for most often, besides itself."""
    matrix = read(experiment, "cnn", "confusion_matrix.csv").set_index("true")
    recalls = {
        model: read(experiment, model, "per_class.csv").set_index("class")["recall"] for model in models_of(experiment)
    }
    for name in matrix.index:
        shares = (matrix.loc[name] / matrix.loc[name].sum()).drop(name).nlargest(2)
        mistakes = ", ".join(f"{other} {share:.2f}" for other, share in shares.items())
        yield f"| {name} | {' | '.join(f'{recalls[model][name]:.2f}' for model in recalls)} | {mistakes} |"


def held_out(experiment):
    """A row for each model and kind of images."""
    for model in models_of(experiment):
        table = read(experiment, model, "held_out_metrics.csv").query("measure == 'accuracy'")
        for (usage, images), of_images in table.groupby(["usage", "images"], sort=False):
            row = of_images.set_index("predictions")
            cells = [
                f"{row.loc[kind, 'value']:{form}} ({row.loc[kind, 'low']:{form}} to {row.loc[kind, 'high']:{form}})"
                for kind, form in (("single", ".3f"), ("ensemble", ".3f"), ("difference", "+.3f"))
            ]
            kind = {"all": "all", "without_copies": "without copies"}[images]
            yield f"| {model} | {usage}, {kind} | {row['rows'].iloc[0]:,} | {' | '.join(cells)} |"


@pytest.mark.parametrize("table", [cross_validation, comparison, classes, held_out], ids=lambda table: table.__name__)
@pytest.mark.parametrize("experiment", sorted(path.name for path in RESULTS.iterdir()))
def test_the_page_has_the_figures_of_the_files(experiment, table):
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [row for row in table(experiment) if row not in lines] == []


def test_the_findings_have_the_curves_of_the_files():
    folder = RESULTS / "fer2013-quarter" / "cnn" / "folds"
    histories = pd.concat(pd.read_csv(path).assign(fold=path.parent.name) for path in folder.glob("*/history.csv"))
    lines = (REPOSITORY / "docs" / "findings.md").read_text(encoding="utf-8").splitlines()
    for epoch, rows in histories.groupby("epoch"):
        means = rows[["accuracy", "clean_accuracy", "val_accuracy"]].mean()
        above = [(rows["val_accuracy"] > rows[column]).sum() for column in ("accuracy", "clean_accuracy")]
        cells = [str(epoch), *(f"{mean:.3f}" for mean in means), *(f"{count} of {len(rows)}" for count in above)]
        assert f"| {' | '.join(cells)} |" in lines
