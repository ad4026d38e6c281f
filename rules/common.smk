"""What the rules share: names taken from the configuration, and functions behind their inputs, params and resources.

Rules marked `localrule` run where Snakemake runs, on a cluster too: their jobs are many, take seconds each, and don't
import TensorFlow.
"""

import functools
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger

from fercv.data.sources import source_digest
from fercv.nets.architectures import width_of
from fercv.workflow.codedigest import code_digest
from fercv.workflow.planning import as_planned
from fercv.workflow.settings import fold_names, model_layers

RESULTS = f"results/{config['experiment']}"
MODEL_RESULTS = f"{RESULTS}/{{model}}"
MODELS = config["models"]
CLASSES = config["data"]["classes"]
FOLDS = fold_names(config["folds"]["number"])
BUILT_IN = config["data"]["source"] == "synthetic"


def one_of(names):
    """Regular expression of exactly these names; of nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of(MODELS),
    fold=one_of(FOLDS),
    layer=one_of({*config["filters"]["layers"], *config["feature_maps"]["layers"]}),


def code(script, lookups=None):
    """Params function: the digest of a script and of all code that it uses, see fercv.workflow.codedigest.

    When the job starts, fercv.workflow.jobs compares the digest with that of the code which is there then.

    Args:
        script: the rule's name, which its script bears as well.
        lookups: function of the wildcards, which gives what the script's code looks up by name.
    """

    def digest_and_lookups(wildcards):
        found = lookups(wildcards) if lookups else {}
        return {"digest": planned_code_digest(script, tuple(found.items())), "lookups": found}

    return digest_and_lookups


@functools.cache
def planned_code_digest(script, lookups):
    """The digest of a script's code as it was when Snakemake planned; computed once for all jobs of equal lookups."""
    return as_planned(f"code of {script} {lookups}", code_digest(script, dict(lookups)), workflow.remote_exec)


def architecture_lookup(wildcards):
    """The architecture that code finds by its name: of all architectures only this one counts for the model."""
    return {"fercv.nets.architectures.find_architecture": (architecture(wildcards),)}


def source_lookup(wildcards):
    """Where the images come from: how faces are drawn counts only where they are drawn."""
    return {"prepare_dataset.find_source": ("draw_samples" if BUILT_IN else "read_samples",)}


def definition(wildcards):
    """The complete definition of the wildcards' model."""
    return config["definitions"][wildcards.model]


def layers_of(model, block):
    """Those layers asked for in a block of the config (filters, feature_maps) that a model has."""
    return [layer for layer in config[block]["layers"] if layer in model_layers(config, model)]


def models_with(block):
    """Regular expression of the models that have any of the layers asked for in a block of the config."""
    return one_of([model for model in MODELS if layers_of(model, block)])


def fold_file(name, block=None):
    """Path of a file of one fold: of the wildcard {fold}, or of the fold that a block of the config looks into."""
    return f"{MODEL_RESULTS}/folds/{'{fold}' if block is None else FOLDS[config[block]['fold']]}/{name}"


def model_with_layer(block):
    """Input function: the trained model that a block of the config looks into, refused where it lacks the layer."""

    def trained_model(wildcards):
        if wildcards.layer not in layers_of(wildcards.model, block):
            raise WorkflowError(
                f"{wildcards.model} has no layer {wildcards.layer}, or {block}.layers does not name it; "
                f"it has {', '.join(layers_of(wildcards.model, block)) or 'none of those that are named'}"
            )
        return fold_file("model.keras", block).format(model=wildcards.model)

    return trained_model


def architecture(wildcards):
    """Name of the architecture of the wildcards' model."""
    return definition(wildcards)["architecture"]


def architecture_settings(wildcards):
    """Settings of the architecture of the wildcards' model."""
    return definition(wildcards)["settings"]


def data_source(wildcards):
    """The files that the data come from; none for the built-in faces."""
    return data_files


def data_content(wildcards):
    """Digest of the data's content. Snakemake alone would not see that a file has been replaced by an older one."""
    return source_digest(data_files, Path(".snakemake", "fer-crossval", f"{config['experiment']}.json"))


def data_config(wildcards):
    """The part of the configuration that images and samples follow from."""
    # Held-out rows are drawn only where they are asked for, but read in any case.
    return {key: value for key, value in sorted(config["data"].items()) if BUILT_IN or key != "held_out"}


# Snakemake learns its rerun triggers after it has read this file, and runs no hook before it says "Nothing to be done".
# But it always asks for the inputs of all jobs. So this stands among the inputs of those rules with which every chain of
# jobs begins.
def warn_of_missing_triggers(wildcards):
    """Input function that gives no file, but warns where a profile has changes go unnoticed."""
    warn_of_triggers_once()
    return []


@functools.cache
def warn_of_triggers_once():
    """Warn of what a profile's `rerun-triggers` lacks."""
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


def layer_files(pattern, block):
    """Paths of the files of every model and those of a block's layers that it has."""
    return [pattern.format(model=model, layer=layer) for model in MODELS for layer in layers_of(model, block)]


def precision(wildcards):
    """What a model is to compute in where float32 is not needed: float32, bfloat16 or auto."""
    return definition(wildcards)["precision"]


def width(wildcards):
    """Width multiplier of the wildcards' model."""
    return width_of(architecture_settings(wildcards))


def training_threads(wildcards):
    """A full-width net keeps four threads busy; a narrow one is faster as one of several single-threaded jobs."""
    return 4 if width(wildcards) > 0.5 else 1


def training_memory(wildcards, attempt):
    """MB: TensorFlow itself, then weights, gradients, optimizer state and activations, which grow with the width."""
    return int((2000 + 8000 * width(wildcards)) * attempt)


def training_minutes(wildcards, attempt):
    """Minutes, for a GPU or a narrow net; profiles/slurm has a line that asks for more on processors."""
    return int((20 + 2 * definition(wildcards)["epochs"] * max(1, width(wildcards))) * attempt)


def model_memory(wildcards, attempt):
    """MB for looking into one trained model."""
    return int((2000 + 4000 * width(wildcards)) * attempt)


def model_minutes(wildcards, attempt):
    """Minutes for looking into a trained model."""
    return int((20 + 40 * width(wildcards)) * attempt)
