"""What the rules share: names taken from the configuration, and functions behind their inputs, params and resources.

Rules marked `localrule` run on the machine where Snakemake itself runs, even if the other rules run on a cluster. They
have many jobs. Each takes seconds and doesn't import TensorFlow.
"""

import functools
import re
import sys
from pathlib import Path

from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger

from fercv.data.groups import fold_files
from fercv.data.sources import source_digest, source_files
from fercv.nets.architectures import width_of
from fercv.report.sections import captions, shown_files
from fercv.workflow.codedigest import code_digest
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import digest_of, file_digest
from fercv.workflow.keeping import has_run_with
from fercv.workflow.planning import PROGRAM, as_planned, program_digest
from fercv.workflow.settings import factor_levels, fold_names, leakage_pairs, model_layers
from fercv.workflow.start import can_export_onnx

RESULTS = f"results/{config['experiment']}"
MODEL_RESULTS = f"{RESULTS}/{{model}}"
MODELS = config["models"]
ARCHITECTURES = {model: config["definitions"][model]["architecture"] for model in MODELS}
CLASSES = config["data"]["classes"]
FOLDS = fold_names(config["folds"]["number"])
WITH_RANDOM_FOLDS = [model for model in MODELS if config["definitions"][model]["folds"] == "random"]
# Two models can be averaged if they have the same folds.
WITH_ENSEMBLES = max(len(WITH_RANDOM_FOLDS), len(MODELS) - len(WITH_RANDOM_FOLDS)) > 1
LEAKAGE_PAIRS = leakage_pairs(config)
LEAKAGE_MODELS = list(dict.fromkeys(model for pair in LEAKAGE_PAIRS for model in pair))
BUILT_IN = config["data"]["source"] == "synthetic"
WITH_ONNX = can_export_onnx()


# Before any code is read, so that code which changes meanwhile is noticed.
as_planned(PROGRAM, program_digest(), workflow.remote_exec)


def one_of(names):
    """Regular expression that matches exactly these names. Without names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of(MODELS),
    fold=one_of(FOLDS),
    layer=one_of({*config["filters"]["layers"], *config["feature_maps"]["layers"]}),


def picture(path, **options):
    """A picture as PNG, as output of what draws it, and beside it the vector graphic that the config asks for.

    Args:
        path: of the PNG.
        options: of `report`, which puts the PNG into Snakemake's own report.
    """
    return [report(path, **options), *vector_graphics([path])]


def vector_graphics(pictures):
    """Paths of the vector graphics of some pictures; none if the config does not ask for them."""
    ending = config["vector_figures"]
    return [] if ending == "none" else [f"{path.removesuffix('.png')}.{ending}" for path in pictures]


def with_vector_graphics(*files):
    """Paths, or lists of them; and at their end, the vector graphics of all pictures among them."""
    paths = [path for item in files for path in ([item] if isinstance(item, str) else item)]
    return [*paths, *vector_graphics([path for path in paths if path.endswith(".png")])]


NEW_IMAGES_FILES = with_vector_graphics(
    expand(f"{MODEL_RESULTS}/new_images.{{ending}}", model=MODELS, ending=["csv", "png"])
)


def told(function):
    """Decorator of a function of the wildcards: an error ends Snakemake with one line.

    Snakemake itself drops an error in a function behind inputs or params if the outputs exist: whatever has changed
    would go unnoticed.
    """

    @functools.wraps(function)
    def guarded(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except InputError as error:
            sys.exit(str(error))
        except Exception as error:
            sys.exit(f"rules/common.smk: {function.__name__} failed, {type(error).__name__}: {error}")

    return guarded


def code(script, lookups=None):
    """Params function: the digest of a script and of all code that it uses, see fercv.workflow.codedigest.

    When the job starts, fercv.workflow.jobs compares this digest with the digest of the code at that time.

    Args:
        script: name of the rule; its script has the same name.
        lookups: function of the wildcards. It returns what the script's code looks up by name.
    """

    @told
    def digest_and_lookups(wildcards):
        found = lookups(wildcards) if lookups else {}
        return {"digest": planned_code_digest(script, tuple(found.items())), "lookups": found}

    return digest_and_lookups


@functools.cache
def planned_code_digest(script, lookups):
    """The digest that a script's code had when Snakemake planned. Jobs with equal lookups share one computation."""
    return as_planned(f"code of {script} {lookups}", code_digest(script, dict(lookups)), workflow.remote_exec)


@told
def architecture_lookup(wildcards):
    """The architecture that the code finds by its name. The digest of a model counts this architecture and no other."""
    return {"fercv.nets.architectures.find_architecture": (architecture(wildcards),)}


@told
def source_lookup(wildcards):
    """The function that gets the images. The digest counts the code that draws faces only if faces are drawn."""
    return {"prepare_dataset.find_source": ("draw_samples" if BUILT_IN else "read_samples",)}


@told
def definition(wildcards):
    """The complete definition of the wildcards' model."""
    return config["definitions"][wildcards.model]


def layers_of(model, block):
    """The layers that a block of the config (filters, feature_maps) names and that the model has."""
    return [layer for layer in config[block]["layers"] if layer in model_layers(config, model)]


def models_with(block):
    """Regular expression that matches the models with at least one of the layers that a block of the config names."""
    return one_of([model for model in MODELS if layers_of(model, block)])


def layers_to_check(model):
    """The layers whose filters and feature maps are checked: those of which pictures are made."""
    return list(dict.fromkeys([*layers_of(model, "filters"), *layers_of(model, "feature_maps")]))


CHECKED_MODELS = [model for model in MODELS if layers_to_check(model)]
LAYER_CHECKS = ["filter_checks", "feature_map_checks"]


def fold_file(name, block=None):
    """Path of a file of one fold: the fold that a block of the config names, or without a block the wildcard {fold}."""
    return f"{MODEL_RESULTS}/folds/{'{fold}' if block is None else FOLDS[config[block]['fold']]}/{name}"


def final_file(name):
    """Path of a file of the final model, which is trained on all folds, of the wildcard {model}."""
    return f"{MODEL_RESULTS}/final/{name}"


@told
def model_to_export(wildcards):
    """The final model of the wildcards' model, if it can be written as an ONNX file here."""
    if not WITH_ONNX:
        raise InputError(
            "model.onnx is written by TensorFlow and tf2onnx, which are not both installed where Snakemake is, or "
            "KERAS_BACKEND is not tensorflow; `pip install -r requirements-onnx.txt` installs them"
        )
    return final_file("model.keras").format(model=wildcards.model)


def model_with_layer(block):
    """Input function: the trained model for a block of the config. It refuses a layer that is not among `layers_of`."""

    @told
    def trained_model(wildcards):
        if wildcards.layer not in layers_of(wildcards.model, block):
            raise InputError(
                f"{wildcards.model} has no layer {wildcards.layer}, or {block}.layers does not name it; "
                f"it has {', '.join(layers_of(wildcards.model, block)) or 'none of those that are named'}"
            )
        return fold_file("model.keras", block).format(model=wildcards.model)

    return trained_model


@told
def checked_layers(wildcards):
    """The layers of the wildcards' model whose filters and feature maps are checked."""
    return layers_to_check(wildcards.model)


@told
def architecture(wildcards):
    """Name of the architecture of the wildcards' model."""
    return definition(wildcards)["architecture"]


@told
def mirrored_prediction(wildcards):
    """Whether the model of the wildcards averages its predictions over an image and its mirror image."""
    return definition(wildcards)["mirrored_prediction"]


@told
def excluded_from_training(wildcards):
    """Digest of the list of samples that the wildcards' model is not trained on; an empty text without a list."""
    path = definition(wildcards)["exclude_from_training"]
    return planned_exclusions(path) if path else ""


@functools.cache
def planned_exclusions(path):
    """The digest that a list of samples had when Snakemake planned."""
    return as_planned(f"content of {path}", file_digest(path), workflow.remote_exec)


@told
def architecture_settings(wildcards):
    """Settings of the architecture of the wildcards' model."""
    return definition(wildcards)["settings"]


@functools.cache
def planned_content():
    """Digest of the data's content when Snakemake planned. The data may change while the jobs of a cluster wait."""
    cache = Path(".snakemake", "fer-crossval", f"{config['experiment']}.json")
    return as_planned("content of the data", source_digest(data_files, cache), workflow.remote_exec)


@told
def data_content(wildcards):
    """Digest of the data's content, see `fercv.data.sources.source_digest`. No file of the data is an input.

    Snakemake would not see that a file has been replaced by an older one, and it would list each image of a folder.
    """
    return planned_content()


@told
def data_config(wildcards):
    """The part of the configuration that determines images and samples."""
    # Held-out faces are drawn only if the config asks for them. Held-out rows of files are always read.
    return {key: value for key, value in sorted(config["data"].items()) if BUILT_IN or key != "held_out"}


@told
def data_digest(wildcards):
    """Digest of everything that images.npy and samples.csv are made from."""
    parts = [data_config(wildcards), data_content(wildcards), config["seed"]]
    return digest_of([*parts, code("prepare_dataset", lookups=source_lookup)(wildcards)["digest"]])


@functools.cache
def planned_fold_files():
    """Digest of the user's files of groups and folds when Snakemake planned."""
    files = list(fold_files(config["folds"]).values())
    return as_planned("content of groups and folds", source_digest(files), workflow.remote_exec)


@told
def fold_files_content(wildcards):
    """Digest of the content of the user's files of groups and folds."""
    return planned_fold_files()


@functools.cache
def planned_new_images():
    """Digest of the images without labels when Snakemake planned; an empty text if there are none."""
    files = source_files(config["new_images"], "new_images") if config["new_images"] else []
    return as_planned("content of the new images", source_digest(files) if files else "", workflow.remote_exec)


@told
def new_images_content(wildcards):
    """Digest of the content of the images without labels."""
    return planned_new_images()


@told
def new_images_files(wildcards):
    """What the target `new_images` makes."""
    if not config["new_images"]:
        raise InputError(
            "new_images is null in the configuration, so there are no images to predict; set it to a folder, zip or csv"
        )
    return NEW_IMAGES_FILES


@told
def folds_digest(wildcards):
    """Digest of everything that images.npy, samples.csv and folds.csv are made from."""
    parts = [data_digest(wildcards), config["folds"], fold_files_content(wildcards), CLASSES]
    return digest_of([*parts, code("assign_folds")(wildcards)["digest"]])


@told
def random_folds_digest(wildcards):
    """Digest of everything that images.npy, samples.csv and random_folds.csv are made from."""
    parts = [data_digest(wildcards), config["folds"]["number"], CLASSES]
    return digest_of([*parts, code("assign_random_folds")(wildcards)["digest"]])


@told
def digest_of_models_folds(wildcards):
    """Digest of everything that images.npy, samples.csv and the folds of the wildcards' model are made from."""
    return FOLDS_FILES[definition(wildcards)["folds"]][1](wildcards)


# What the key `folds` of a definition chooses: a file in the folder `data`, and the digest of all it is made from.
FOLDS_FILES = {"grouped": ("folds.csv", folds_digest), "random": ("random_folds.csv", random_folds_digest)}


# A job that runs takes along all jobs that depend on it, even if it writes what was there before. And while Snakemake
# plans that, it does not look at the params of these jobs. So this function compares the params.
def data_file(name, rule):
    """Input function: a file of the data, for a rule that takes long.

    The file is `ancient` for a job that has already run with the same params. So this job does not run again only
    because the data were prepared again. The rule must have among its params, as `made_from`, the digest of all that
    the file is made from.

    Args:
        name: of the file in the folder `data`.
        rule: name of the rule that takes it.
    """
    path = f"{RESULTS}/data/{name}"

    @told
    def file_of_the_data(wildcards):
        values = getattr(rules, rule).params.items()
        params = {key: value(wildcards) if callable(value) else value for key, value in values}
        job = " ".join([rule, *wildcards])
        return ancient(path) if has_run_with(config["directory"], config["experiment"], job, params) else path

    return file_of_the_data


def folds_of_model(rule):
    """Input function: the file of the folds that the wildcards' model takes, for a rule as `data_file` describes it."""

    @told
    def file_of_the_folds(wildcards):
        return data_file(FOLDS_FILES[definition(wildcards)["folds"]][0], rule)(wildcards)

    return file_of_the_folds


# Snakemake learns its rerun triggers only after it has read this file. It runs no hook before it says "Nothing to be
# done". But it always asks for the inputs of all jobs. So this function is an input of those rules with which every
# chain of jobs begins.
@told
def warn_of_missing_triggers(wildcards):
    """Input function that returns no file. It warns if a profile lets changes go unnoticed."""
    warn_of_triggers_once()
    return []


@functools.cache
def warn_of_triggers_once():
    """Warn of the triggers that are missing in `rerun-triggers`."""
    needed = [RerunTrigger.PARAMS, RerunTrigger.INPUT, RerunTrigger.MTIME]
    missing = [str(trigger) for trigger in needed if trigger not in workflow.rerun_triggers]
    if missing:
        logger.warning(
            f"rerun-triggers lacks {', '.join(missing)}: changed code, settings or files go unnoticed, and old results "
            "pass for new ones; add it to your profile, as profiles/default has it"
        )


def every_fold(name):
    """Paths of a file of every fold, of the wildcard {model}."""
    return expand(fold_file(name), fold=FOLDS, allow_missing=True)


@told
def predictions_of_pairs(wildcards):
    """Paths of the predictions of every fold of the models that differ in nothing but their folds, model by model."""
    if not LEAKAGE_PAIRS:
        raise InputError(
            "leakage.csv compares models that differ in nothing but their folds, but `models` names no two such; give a "
            "second definition the same settings and `folds: random`"
        )
    return expand(fold_file("predictions.csv"), model=LEAKAGE_MODELS, fold=FOLDS)


def layer_files(pattern, block):
    """Paths of the files of every model: one for each layer that a block of the config names and the model has."""
    return [pattern.format(model=model, layer=layer) for model in MODELS for layer in layers_of(model, block)]


@told
def precision(wildcards):
    """The precision that the definition of a model asks for: float32, bfloat16 or auto."""
    return definition(wildcards)["precision"]


@told
def width(wildcards):
    """Width multiplier of the wildcards' model."""
    return width_of(architecture_settings(wildcards))


# Priority of the jobs for which all others wait, above that of each fold.
BEFORE_ALL_OTHERS = len(MODELS) + 1


@told
def model_by_model(wildcards):
    """Priority: first the first fold of each model, which says how long all will take; then one model after another."""
    return len(MODELS) - (0 if wildcards.fold == FOLDS[0] else 1 + MODELS.index(wildcards.model))


@told
def training_threads(wildcards):
    """A full-width net keeps four threads busy; a narrow one is faster as one of several single-threaded jobs."""
    return 4 if width(wildcards) > 0.5 else 1


@told
def training_memory(wildcards, attempt):
    """MB: TensorFlow itself, then weights, gradients, optimizer state and activations, which grow with the width."""
    return int((2000 + 8000 * width(wildcards)) * attempt)


@told
def training_minutes(wildcards, attempt):
    """Minutes, for a GPU or a narrow net; profiles/slurm has a line that asks for more on processors."""
    return int((20 + 2 * definition(wildcards)["epochs"] * max(1, width(wildcards))) * attempt)


@told
def model_memory(wildcards, attempt):
    """MB for looking into one trained model."""
    return int((2000 + 4000 * width(wildcards)) * attempt)


@told
def export_memory(wildcards, attempt):
    """MB: tf2onnx copies a model many times; it took 12 GB for the full-width cnn."""
    return int((2000 + 12000 * width(wildcards)) * attempt)


@told
def model_minutes(wildcards, attempt):
    """Minutes for looking into a trained model."""
    return int((20 + 40 * width(wildcards)) * attempt)


def fold_jobs():
    """The fold jobs that the targets need, as {(model, fold): whether this run trains it}."""
    jobs = [job for job in workflow.dag.jobs if job.rule.name == "train_fold"]
    return {(job.wildcards.model, job.wildcards.fold): workflow.dag.needrun(job) for job in jobs}


def files_of(model, files):
    """Those of the files that are of one model."""
    return [file for file in files if file.startswith(f"{RESULTS}/{model}/")]


def layer_pictures():
    """Paths of all pictures of filters and feature maps, and of those of their checks."""
    return [
        *PICTURES["filters"],
        *PICTURES["feature_maps"],
        *expand(f"{MODEL_RESULTS}/{{checks}}.png", model=CHECKED_MODELS, checks=LAYER_CHECKS),
    ]


def pictures_of_models(name):
    """Paths of a picture of every model."""
    return expand(f"{MODEL_RESULTS}/{name}.png", model=MODELS)


# The pictures of each kind, under the name of a target.
PICTURES = {
    "accuracy": pictures_of_models("accuracy"),
    "confusion": pictures_of_models("confusion_matrix"),
    "calibration": pictures_of_models("calibration"),
    "comparison": [f"{RESULTS}/comparison.png"],
    "saliency": pictures_of_models("saliency"),
    "filters": layer_files(f"{MODEL_RESULTS}/filters_{{layer}}.png", "filters"),
    "feature_maps": layer_files(f"{MODEL_RESULTS}/feature_maps_{{layer}}.png", "feature_maps"),
}


# The settings that the page of the report states, or that its captions name.
SETTINGS_OF_REPORT = {
    **{
        key: config[key]
        for key in ("experiment", "seed", "models", "folds", "saliency", "filters", "feature_maps", "layer_checks")
    },
    "data": {key: config["data"][key] for key in ("source", "classes")},
}


def shown_on_page(*stages):
    """Paths of the files that the page of the report shows: some of those that the targets of the stages ask for."""
    files = [*(path for stage in stages for path in stage.input), *(NEW_IMAGES_FILES if config["new_images"] else [])]
    made = [path.removeprefix(f"{RESULTS}/") for path in files]
    return [f"{RESULTS}/{file}" for file in shown_files(made, MODELS)]


# These files are no inputs: then what they are filled into would be made again where the repository has moved to another
# folder.
def planned_templates(of, names):
    """The digest that some files of the folder `report` had when Snakemake planned."""
    contents = [file_digest(Path(workflow.basedir, "report", name)) for name in names]
    return as_planned(f"templates of {of}", digest_of(contents), workflow.remote_exec)


@told
def templates_of_report(wildcards):
    """Digest of the files that the page of the report is filled into."""
    names = ["page.html.jinja", "page.css", "page.js", *(f"{name}.rst" for name in captions())]
    return planned_templates("the report", names)


# What the model card states, besides the definition and the figures.
SETTINGS_OF_CARD = {
    "experiment": config["experiment"],
    **{key: config["data"][key] for key in ("source", "classes", "image_size", "held_out")},
    "folds": len(FOLDS),
}


@told
def templates_of_card(wildcards):
    """Digest of the files that the model card and the example beside it are made of."""
    return planned_templates("the model card", ["model_card.md.jinja", "example_onnx.py", "example_keras.py"])
