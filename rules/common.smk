"""What the rules share: names taken from the configuration, and the resources that jobs ask for."""

import functools
import re

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger

from fercv.workflow.codedigest import code_digest
from fercv.workflow.finished import remove_recorded
from fercv.workflow.planning import planned_digest
from fercv.workflow.settings import fold_names, model_layers

E = f"results/{config['experiment']}"
M = f"{E}/{{model}}"
MODELS = config["models"]
CLASSES = config["data"]["classes"]
FOLDS = fold_names(config["folds"]["number"])


def one_of(names):
    """Regular expression of exactly these names; of nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of(MODELS),
    fold=one_of(FOLDS),
    layer=one_of({*config["filters"]["layers"], *config["feature_maps"]["layers"]}),


def code(rule_name):
    """Params function: the digest of a rule's script and all code that it uses, see fercv.codedigest.

    Of what the code looks up by name, only what is found there counts: the model's own architecture, and reading or
    drawing the images. fercv.workflow.jobs compares again when the job starts.
    """

    def found(wildcards):
        return code_found(rule_name, architecture(wildcards) if "model" in wildcards.keys() else None)

    return found


@functools.cache
def code_found(rule_name, model_architecture):
    """The digest of a rule's code, found once for all its jobs on models of one architecture."""
    looked_up = {"prepare_dataset.find_source": ["draw_samples" if built_in else "read_samples"]}
    if model_architecture is not None:
        looked_up["fercv.nets.architectures.find_architecture"] = [model_architecture]
    name = f"code of {rule_name} for {model_architecture}"
    digest = planned_digest(name, code_digest(rule_name, looked_up), workflow.remote_exec)
    return {"digest": digest, "looked_up": looked_up}


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
    return f"{M}/folds/{'{fold}' if block is None else FOLDS[config[block]['fold']]}/{name}"


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


def settings(wildcards):
    """Settings of the architecture of the wildcards' model."""
    return definition(wildcards)["settings"]


def data_source(wildcards):
    """The files that the data come from; none for the built-in faces."""
    warn_of_missing_triggers()
    return data_files


def data_content(wildcards):
    """Digest of the data's content, which Snakemake would not compare where a file has been replaced by an older one."""
    return source_digest(data_files, Path(".snakemake", "fer-crossval", f"{config['experiment']}.json"))


def data_settings(wildcards):
    """The settings that images and samples follow from; `held_out` decides what is drawn, but not what is read."""
    return {key: value for key, value in sorted(config["data"].items()) if built_in or key != "held_out"}


@functools.cache
def warn_of_missing_triggers():
    """Warn once where a profile switches off what tells changes; before it asks for inputs, Snakemake doesn't know."""
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
    """Width multiplier of a model; architectures without one count as full width."""
    return settings(wildcards).get("width", 1.0)


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


def remove_finished_checkpoints():
    """Remove what finished folds left to go on from."""
    remove_recorded(config["directory"], config["experiment"])
