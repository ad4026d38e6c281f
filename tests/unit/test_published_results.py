"""The figures of the pages on FER2013 are those of the files in docs/results, which the workflow wrote."""

import json

import pandas as pd
import pytest
from helpers import REPOSITORY

from fercv.data.tables import METRICS, read_table
from fercv.evaluate.intervals import compare, corrected_interval

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
    of_cnn = read(experiment, "cnn", "per_class.csv").set_index("class")
    for name in matrix.index:
        shares = (matrix.loc[name] / matrix.loc[name].sum()).drop(name).nlargest(2)
        mistakes = ", ".join(f"{other} {share:.2f}" for other, share in shares.items())
        cells = [f"{recall[name]:.2f}" for recall in recalls.values()]
        cells[0] += f" ({of_cnn.loc[name, 'recall_low']:.2f} to {of_cnn.loc[name, 'recall_high']:.2f})"
        yield f"| {name} | {' | '.join(cells)} | {mistakes} |"


def held_out(experiment):
    """A row for each model and kind of images."""
    for model in models_of(experiment):
        table = read(experiment, model, "held_out_metrics.csv").query("measure == 'accuracy'")
        assert set(table["images"]) == {"all"}
        for usage, of_images in table.groupby("usage", sort=False):
            row = of_images.set_index("predictions")
            cells = [
                f"{row.loc[kind, 'value']:{form}} ({row.loc[kind, 'low']:{form}} to {row.loc[kind, 'high']:{form}})"
                for kind, form in (("single", ".3f"), ("ensemble", ".3f"), ("difference", "+.3f"))
            ]
            yield f"| {model} | {usage}, all | {row['rows'].iloc[0]:,} | {' | '.join(cells)} |"


@pytest.mark.parametrize("table", [cross_validation, comparison, classes, held_out], ids=lambda table: table.__name__)
@pytest.mark.parametrize("experiment", ["fer2013-cpu", "fer2013-quarter"])
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


def interval(row, form):
    """A mean with its interval."""
    return f"{row['mean']:{form}} ({row['low']:{form}} to {row['high']:{form}})"


def leakage():
    """A row for each kind of images, of each net."""
    names = {"all": "all {}", "with_copies": "{} with a copy", "without_copies": "{} without a copy"}
    table = read("leakage", "leakage.csv").rename(columns={"value": "mean"})
    assert list(table["model"].unique()) == ["cnn_grouped", "fc_grouped"]
    for (_, images), rows in table.groupby(["model", "images"]):
        kinds = rows.set_index("assignment")
        forms = {"grouped": ".3f", "random": ".3f", "difference": "+.3f"}
        cells = [interval(kinds.loc[kind], form) for kind, form in forms.items()]
        number = rows["rows"].iloc[0]
        yield f"| {names[images].format(f'{number:,}')} | {' | '.join(cells)} |"


def dropout():
    """A row for each model."""
    for model, rows in read("fc-dropout", "factors.csv").groupby("model", sort=False):
        measures = rows.set_index("measure")
        cells = [interval(measures.loc[measure], ".3f") for measure in ("clean_training", "validation")]
        yield f"| {'the cnn' if model == 'cnn' else format(rows['dropout'].iloc[0], 'g')} | {' | '.join(cells)} |"


def ablation():
    """A row for each model, then one for each setting."""
    settings = ["batch normalization", "augmentation", "dropout"]
    for combination, rows in read("ablation", "factors.csv").groupby(settings, sort=False):
        measures = rows.set_index("measure")
        means = [f"{measures.loc[name, 'mean']:.3f}" for name in ("training", "clean_training", "validation")]
        words = [{"True": "yes", "False": "no"}.get(str(value), f"{value:g}") for value in combination]
        difference = interval(measures.loc["validation_minus_training"], "+.3f")
        yield f"| {' | '.join([*words, *means, difference])} |"
    effects = read("ablation", "factor_effects.csv").set_index(["factor", "measure"])
    for factor in [*settings, "batch normalization × augmentation"]:  # noqa: RUF001
        measures = ("validation", "validation_minus_training", "validation_minus_clean_training")
        cells = [interval(effects.loc[factor, measure], "+.3f") for measure in measures]
        yield f"| {factor}{' of 0.3' * (factor == 'dropout')} | {' | '.join(cells)} |"


@pytest.mark.parametrize("table", [leakage, dropout, ablation], ids=lambda table: table.__name__)
def test_the_findings_have_the_figures_of_the_files(table):
    lines = (REPOSITORY / "docs" / "findings.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in table() if row not in lines] == []


def saliency_checks():
    """The rows of the table of the methods, of those checks that need no order to compare with."""
    checks = read("fer2013-quarter", "cnn", "saliency_checks.csv")
    # The weights of the first layer are shuffled last.
    shuffled = (checks["check"] == "randomization") & (checks["place"] == "conv1_conv1")
    for text, rows, measure in [
        ("all weights shuffled: rank correlation", checks[shuffled], "rank_correlation"),
        ("deletion, area (lower is better)", checks[checks["check"] == "deletion"], "area"),
        ("insertion, area (higher is better)", checks[checks["check"] == "insertion"], "area"),
        ("one image, two folds: rank correlation", checks[checks["check"] == "folds"], "rank_correlation"),
    ]:
        values = rows[rows["measure"] == measure].set_index("method")["value"]
        columns = ("gradient", "smooth_grad", "integrated_gradients", "grad_cam", "random", "centre")
        cells = [f"{values[method]:.2f}" if method in values else "" for method in columns]
        yield "".join(f"| {cell} " if cell else "| " for cell in (text, *cells)) + "|"


def filter_checks():
    """The rows of the table of the ascents."""
    checks = read("fer2013-quarter", "cnn", "filter_checks.csv").fillna({"start": ""})
    starts = {"noise": ", from noise", "grey": ", from grey", "mean_face": ", from the mean face", "": " image"}
    for (method, start), rows in checks.groupby(["method", "start"]):
        median = rows[["deviations", "other_deviations", "high_frequency", "mean_face"]].median()
        above = (rows["other_percentile"] > 99).sum()
        yield (
            f"| {method}{starts[start]} | {median['deviations']:.1f} | {median['other_deviations']:.1f} | "
            f"{above} of {len(rows)} | {median['high_frequency']:.2f} | {median['mean_face']:.2f} |"
        )


@pytest.mark.parametrize("table", [saliency_checks, filter_checks], ids=lambda table: table.__name__)
def test_the_page_of_pictures_has_the_figures_of_the_files(table):
    lines = (REPOSITORY / "docs" / "interpretability.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in table() if row not in lines] == []


def test_the_findings_say_what_a_little_dropout_does():
    compared = read("fer2013-quarter", "comparison.csv").set_index(["model", "versus", "measure"])
    text = (REPOSITORY / "docs" / "findings.md").read_text(encoding="utf-8").replace("\n", " ")
    # The file has fc minus fc_dropout; the page has the gain by dropout.
    accuracy, balanced = (compared.loc["fc", "fc_dropout", measure] for measure in ("accuracy", "balanced_accuracy"))
    short = read("fer2013-cpu", "comparison.csv").set_index(["model", "versus", "measure"])
    summaries = {model: read("fer2013-quarter", model, "summary.csv").set_index("measure") for model in MODELS}
    ensembles = {
        model: read("fer2013-quarter", model, "held_out_metrics.csv")
        .query("measure == 'accuracy' and predictions == 'ensemble'")["value"]
        .item()
        for model in MODELS
    }
    accuracies = {model: summary.loc["accuracy", "mean"] for model, summary in summaries.items()}
    losses = {model: summary.loc["log_loss"] for model, summary in summaries.items()}
    clean = {model: last_accuracies("fer2013-quarter", model)["clean_accuracy"] for model in ("fc", "fc_dropout")}
    for sentence in (
        f"accuracy better by {-accuracy['mean']:.3f} (95 % interval {-accuracy['high']:.3f} to {-accuracy['low']:.3f})",
        f"{accuracies['fc_dropout']:.3f} instead of {accuracies['fc']:.3f}.",
        f"(The adjusted p-value is {accuracy['p_adjusted']:.3f}.)",
        f"the gain of {-balanced['mean']:.3f} ({-balanced['high']:.3f} to {-balanced['low']:.3f}) may be chance",
        f"({ensembles['fc_dropout']:.3f} instead of {ensembles['fc']:.3f})",
        f"Of the distance to the cnn, {accuracies['cnn'] - accuracies['fc']:.3f}, it wins",
        f"the log loss is {interval(losses['fc_dropout'], '.3f')} instead of {interval(losses['fc'], '.3f')}",
        f"The cnn has {losses['cnn']['mean']:.3f}, and",
        f"the same rate makes the net worse by {interval(short.loc['fc', 'fc_dropout', 'accuracy'], '.3f')}, which",
        f"{clean['fc_dropout']:.3f} of the training images, measured cleanly, instead of {clean['fc']:.3f}.",
    ):
        assert sentence in text


def test_the_findings_say_where_validation_is_above_training_in_the_ablation():
    """With augmentation, it is in every epoch of every fold; without it, at the end it is not so on average."""
    above = {}
    for path in (RESULTS / "ablation").glob("*/folds/*/history.csv"):
        history = pd.read_csv(path)
        above.setdefault(path.parents[2].name, []).append(history["val_accuracy"] - history["accuracy"])
    means = {model: sum(folds) / len(folds) for model, folds in above.items()}
    assert {(len(folds), len(folds[0])) for folds in above.values()} == {(5, 4)}
    for model in ("cnn_nad", "cnn_na", "cnn_ad", "cnn_a"):
        assert all((fold > 0).all() for fold in above[model])
    for model in ("cnn_nd", "cnn_n", "cnn_d", "cnn_plain"):
        assert means[model].iloc[-1] < 0
    last = {model: mean.iloc[-1] for model, mean in means.items()}
    with_augmentation = [(last[one] + last[other]) / 2 for one, other in (("cnn_nad", "cnn_na"), ("cnn_ad", "cnn_a"))]
    without = [(last[one] + last[other]) / 2 for one, other in (("cnn_nd", "cnn_n"), ("cnn_d", "cnn_plain"))]
    assert [round(float(mean), 3) for mean in with_augmentation] == [0.022, 0.026]
    gained = [round(float(one - other), 3) for one, other in zip(with_augmentation, without, strict=True)]
    assert [*gained, round(float(without[0] - without[1]), 3)] == [0.176, 0.047, -0.133]
    first = {model: round(float(mean.iloc[0]), 3) for model, mean in means.items()}
    normalized = [first[model] for model in ("cnn_nad", "cnn_na", "cnn_nd", "cnn_n")]
    others = [first[model] for model in ("cnn_ad", "cnn_a", "cnn_d", "cnn_plain")]
    assert (min(normalized), max(normalized), min(others), max(others)) == (0.071, 0.095, 0.014, 0.03)


@pytest.mark.parametrize(
    ("experiment", "verb"), [("fer2013-quarter", "took {} of processor time"), ("fer2013-cpu", "took {}")]
)
def test_the_page_has_the_processor_time_of_the_folds(experiment, verb):
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    seconds = {}
    for model in MODELS:
        paths = list((RESULTS / experiment / "benchmarks" / "train_fold").glob(f"{model}_??.jsonl"))
        assert len(paths) == 20
        seconds[model] = sum(json.loads(path.read_text(encoding="utf-8"))["cpu_time"] for path in paths)
    cnn, fc, fc_dropout = (f"{value:,.0f} s" for value in seconds.values())
    assert f"the 20 folds of the cnn {verb.format(cnn)}, those of fc {fc}, and of fc_dropout {fc_dropout}" in text


def test_the_page_compares_the_two_recipes_of_the_cnn():
    folders = {"long": "cnn", "short": "cnn_7_epochs"}
    tables = {
        name: read_table(RESULTS / "fer2013-quarter" / folder / "metrics.csv", METRICS)
        for name, folder in folders.items()
    }
    compared = compare(tables).set_index(["model", "versus", "measure"])
    accuracy, balanced = (compared.loc["long", "short", measure] for measure in ("accuracy", "balanced_accuracy"))
    loss, _, low, high, _ = corrected_interval((tables["short"]["log_loss"] - tables["long"]["log_loss"]).to_numpy())
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for sentence in (
        f"had an accuracy of {tables['short']['accuracy'].mean():.3f}",
        f"better by {interval(accuracy, '.3f')} in accuracy, and by {interval(balanced, '.3f')} in balanced accuracy",
        f"its log loss is lower by {loss:.3f} ({low:.3f} to {high:.3f})",
    ):
        assert sentence in text


def test_the_page_has_the_figures_of_the_fold_in_full_width():
    text = PAGE.read_text(encoding="utf-8")
    metrics = {}
    for model, every in (("cnn", 2), ("fc", 4)):
        metrics[model], history = fold_in_full_width(model)
        for row in history[history["epoch"] % every == 0].itertuples():
            cells = [
                str(row.epoch),
                *(f"{value:.3f}" for value in (row.accuracy, row.clean_accuracy, row.val_accuracy)),
            ]
            assert f"| {' | '.join(cells)} | {row.val_loss:.3f} |" in text.splitlines()
        assert f"gets **{metrics[model]['accuracy']:.3f}** of the fold's images right" in text
        same_fold = read("fer2013-quarter", model, "metrics.csv").iloc[0]
        assert same_fold["n"] == metrics[model]["n"]
        assert f"has {same_fold['accuracy']:.3f} " in text.replace("\n", " ")
    cnn = metrics["cnn"]
    before, history = fold_in_full_width("cnn_8_epochs")
    for sentence in (
        f"balanced accuracy of {cnn['balanced_accuracy']:.3f} and a log loss of {cnn['log_loss']:.3f}.",
        f"{cnn['training_rows']:,} images for {cnn['epochs']} epochs and validated on the {cnn['n']:,} of fold 00",
        f"and took {seconds_of('cnn'):,.0f} s of processor time",
        f"for {metrics['fc']['epochs']} epochs, in {seconds_of('fc'):.0f} s of processor time",
        f"trained for {before['epochs']} epochs with half of the augmentation, in {seconds_of('cnn_8_epochs'):,.0f} s",
        f"It had an accuracy of {before['accuracy']:.3f} and a log loss of {before['log_loss']:.3f}",
        f"accuracy in training was {history['accuracy'].iloc[-1]:.3f}",
    ):
        assert sentence in " ".join(text.split())


def test_the_page_reads_the_comparisons_as_the_files_have_them():
    text = PAGE.read_text(encoding="utf-8")
    for experiment, says in (
        ("fer2013-quarter", "The cnn is better than that by {cnn_fc_dropout:.3f}."),
        (
            "fer2013-cpu",
            "with a rate of 0.02, the fully connected net is worse by {fc_fc_dropout}, which may be chance.",
        ),
    ):
        compared = read(experiment, "comparison.csv").set_index(["model", "versus", "measure"])
        accuracy = {model: read(experiment, model, "metrics.csv")["accuracy"] for model in MODELS}
        assert (accuracy["cnn"] > accuracy["fc"]).all()
        better = compared.loc["cnn", "fc_dropout", "accuracy"]["mean"]
        slowed = interval(compared.loc["fc", "fc_dropout", "accuracy"], ".3f")
        for sentence in (
            f"| The cnn reaches about 0.70. | {accuracy['cnn'].mean():.3f}: ",
            f"| The fully connected net reaches only about 0.5. | {accuracy['fc'].mean():.3f}",
            f"Yes: by {compared.loc['cnn', 'fc', 'accuracy']['mean']:.3f}, and in each of the 20 folds.",
            says.format(cnn_fc_dropout=better, fc_fc_dropout=slowed),
        ):
            assert sentence in text, sentence


def test_the_page_has_the_goal_and_the_curves_of_the_small_experiment():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    accuracy = read("fer2013-cpu", "cnn", "summary.csv").set_index("measure").loc["accuracy"]
    disgust = read("fer2013-cpu", "cnn", "per_class.csv").set_index("class").loc["disgust", "recall"]
    folds = (RESULTS / "fer2013-cpu" / "cnn" / "folds").glob("*/history.csv")
    means = pd.concat(map(pd.read_csv, folds)).groupby("epoch")[["accuracy", "val_accuracy"]].mean()
    pairs = [f"{row.val_accuracy:.3f} against {row.accuracy:.3f}" for row in means.itertuples()]
    for sentence in (
        f"{accuracy['mean']:.3f} is above that goal, but 0.60 lies within its interval "
        f"({accuracy['low']:.3f} to {accuracy['high']:.3f})",
        f"this one recognizes {disgust:.2f} of these images",
        f"in the first three of five epochs: {', '.join(pairs[:3])}.",
        f"training is above: {means['accuracy'].iloc[-1]:.3f} against {means['val_accuracy'].iloc[-1]:.3f}.",
    ):
        assert sentence in text, sentence


def fold_in_full_width(model):
    """metrics.json and history.csv."""
    folder = RESULTS / "fer2013" / model / "folds" / "00"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics, pd.read_csv(folder / "history.csv")


def seconds_of(model):
    """Processor time of the fold in full width, by Snakemake's record."""
    path = RESULTS / "fer2013" / "benchmarks" / "train_fold" / f"{model}_00.jsonl"
    return json.loads(path.read_text(encoding="utf-8"))["cpu_time"]


def test_the_readme_has_the_figures_of_the_files():
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    for model in MODELS:
        accuracy = read("fer2013-quarter", model, "summary.csv").set_index("measure").loc["accuracy"]
        table = read("fer2013-quarter", model, "held_out_metrics.csv")
        (held_out,) = table.query("measure == 'accuracy' and predictions == 'ensemble'").itertuples()
        clean = last_accuracies("fer2013-quarter", model)["clean_accuracy"]
        row = (
            f"| {model} | {interval(accuracy, '.3f')} | {clean:.3f} | "
            f"{held_out.value:.3f} ({held_out.low:.3f} to {held_out.high:.3f}) | "
        )
        assert any(line.startswith(row) for line in lines), row


def test_the_readme_has_the_figure_of_the_fold_in_full_width():
    text = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    metrics, _ = fold_in_full_width("cnn")
    assert f"(docs/fer2013.md#one-fold-in-full-width) has {metrics['accuracy']:.3f}." in text


def test_the_page_of_benchmarks_has_the_figures_of_the_files():
    text = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    small = read("fer2013-cpu", "cnn", "summary.csv").set_index("measure").loc["accuracy", "mean"]
    cnn, _ = fold_in_full_width("cnn")
    fc, history = fold_in_full_width("fc")
    learned = history["accuracy"].iloc[-1]
    for sentence in (
        f"its mean accuracy is [{small:.3f}]",
        f"its accuracy is {cnn['accuracy']:.3f}, on {cnn['n']:,} images",
        f"by heart after 16 epochs ({learned:.3f}), and has {fc['accuracy']:.3f}.",
    ):
        assert sentence in text


def against_todays(table, names):
    """A row for each of these recipes of the narrow cnn, compared with today's on the same folds."""
    runs = {trial: table[table["trial"] == trial].groupby("fold").mean(numeric_only=True) for trial in names}
    for trial, name in names.items():
        assert (table["trial"] == trial).sum() == 3 * table["seed"].nunique()
        means = runs[trial].mean()
        compared = ""
        if trial != "new":
            differences = (runs[trial]["accuracy"] - runs["new"]["accuracy"]).to_numpy()
            mean, _, low, high, _ = corrected_interval(differences, number=20)
            compared = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
        yield (
            f"| {name} | {means['accuracy']:.3f} | {compared} | {means['log_loss']:.3f} | "
            f"{means['training_accuracy']:.3f} | {means['seconds']:.0f} |"
        )


def recipes():
    """The rows of the tables that compare recipes, in benchmarks/README.md."""
    table = read("recipes.csv")
    yield from against_todays(
        table, {"old": "the recipe before", "new": "today's", "erasing": "today's with random erasing"}
    )
    with_more_time = {
        "new": "today's: an eighth of the width, 5 epochs",
        "longer": "8 epochs",
        "longer_augmented": "8 epochs, with rotation, shift and zoom",
        "wider": "a quarter of the width, 5 epochs, with rotation, shift and zoom",
    }
    yield from against_todays(table[table["seed"] == 1], with_more_time)
    augmentation = {"augmented": "5 degrees, 0.05, 0.05", "augmented_twice": "10 degrees, 0.1, 0.1"}
    widths = {0.25: "a quarter", 0.5: "a half"}
    for row in table[table["trial"].isin(augmentation)].itertuples():
        yield (
            f"| {widths[row.width]} | {row.epochs} | {augmentation[row.trial]} | {row.accuracy:.3f} | "
            f"{row.balanced_accuracy:.3f} | {row.log_loss:.3f} | {row.training_accuracy:.3f} | {row.seconds:,.0f} |"
        )
    for row in table[table["trial"] == "rate"].itertuples():
        yield (
            f"| {row.learning_rate} | {row.accuracy:.3f} | {row.balanced_accuracy:.3f} | {row.log_loss:.3f} | "
            f"{row.training_accuracy:.3f} | {row.seconds:,.0f} |"
        )


def test_the_page_of_benchmarks_has_the_figures_of_the_recipes():
    lines = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in recipes() if row not in lines] == []
