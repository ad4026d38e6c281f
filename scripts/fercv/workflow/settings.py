"""The configuration: checked against its schema, scaled, and completed.

It imports the standard library, PyYAML and jsonschema only, since the Snakefile needs it at every start.
"""

import contextlib
import copy
import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from jsonschema import Draft202012Validator, validators

from fercv.data.expressions import CLASSES as SYNTHETIC_CLASSES
from fercv.data.sources import plain_path
from fercv.nets import architectures
from fercv.workflow.errors import InputError
from fercv.workflow.messages import (
    TYPE_NAMES,
    did_you_mean,
    explain,
    legible,
    names,
    quoting,
    read_config,
    refusal,
    refuse,
)

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
RESERVED = (
    "index", "label", "usage", "true", "in_training", "source", "predicted", "confidence", "spread", "agreement"
)  # fmt: skip
# The columns of factors.csv that come before those of the factors.
FACTORS = ("model", "measure", "mean", "standard_deviation", "low", "high", "folds")
# What stands in the folder of an experiment beside a folder for each model.
FOLDERS = ("data", "logs", "checkpoints", "benchmarks", "new_images", "tensorboard")
# libyaml is faster, but PyYAML may have been built without it.
FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scale(NamedTuple):
    """The chosen entry of `scales`.

    name: its name.
    content: the changes that it makes.
    own: the user's own settings, which a scale of config.yaml leaves as they are.
    own_content: what the user's own `scales` say of this scale.
    """

    name: str
    content: Mapping
    own: Mapping
    own_content: Mapping

    def change(self, settings: Mapping, *path: str) -> Mapping:
        """A block of the configuration with the scale's changes, except where the user's own settings win.

        Args:
            settings: the block.
            path: where it stands, in the configuration as in the scale.
        """
        for changes in (self.content, self.own, self.own_content):
            settings = merge(settings, _inside(changes, path))
        return settings

    def place(self, *path: str) -> list[str]:
        """Where the value of a definition stands: in the scale, or in the configuration itself."""
        inherited = _has(self.content, path) and not _has(self.own, path)
        return ["scales", self.name, *path] if inherited or _has(self.own_content, path) else list(path)


def _inside(block: Mapping, path: Sequence[str]) -> Mapping:
    """The block at a path; an empty one where there is none."""
    for part in path:
        block = block.get(part, {})
    return block


def _has(block: Mapping, path: Sequence[str]) -> bool:
    return path[-1] in _inside(block, path[:-1])


def check_syntax(path: str | Path) -> None:
    """Refuse a config file that is not YAML in UTF-8. Snakemake's own message names neither the file nor the line.

    Snakemake parses the file again later, with the same parser as here. libyaml's parser is faster, but it takes tabs
    that Snakemake would then refuse.

    Raises:
        InputError: one line that names the file, the line and what is wrong there. A file that would make Snakemake run
            code is refused too, and one in which a key stands twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = read_config(text, yaml.SafeLoader)
        with contextlib.suppress(yaml.YAMLError):  # JSON that is no YAML
            check_nodes(path, yaml.compose(text, Loader=FAST_LOADER), set())
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: it is not in UTF-8; save it in that encoding") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; restore it, every setting stands there") from None
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        raise InputError(
            f"{path}, line {place.line + 1}: no YAML, {error.problem}; correct that line or the one before it"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise InputError(f"{path}, line {line}: no YAML, the character #{error.character:04x}; delete it") from None
    except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError, RecursionError) as error:
        # PyYAML raises these itself on values that only look like a date or a number.
        raise InputError(f"{path}: a value that cannot be read, {' '.join(str(error).split())}; quote it") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else legible(content)
        raise InputError(f"{path}: {found} found, a block of keys expected; restore it")
    if "__use_yte__" in content:
        raise InputError(f"{path}: __use_yte__ has Snakemake run code of this file; take it out")


def check_nodes(
    path: str | Path, node: yaml.Node | None, checked: set[yaml.Node], above: Sequence[yaml.Node] = ()
) -> None:
    """Refuse a key that stands twice in a block, of which YAML takes the last, and a value that contains itself.

    Args:
        path: of the config file.
        node: what PyYAML has composed of it, or a part; None for an empty file.
        checked: the nodes that were checked already, as aliases may lead to a node many times. It is added to.
        above: the nodes around this one.
    """
    if node in above:
        line = above[-1].start_mark.line + 1
        raise InputError(f"{path}, line {line}: a value that contains itself by an alias; write out what is meant")
    if node in checked:
        return
    checked.add(node)
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            check_nodes(path, child, checked, (*above, node))
    if isinstance(node, yaml.MappingNode):
        lines = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, (key.tag, str(key.value))
            if name in lines:
                raise InputError(
                    f"{path}, line {line}: the key {legible(key.value)} stands in line {lines[name]} already; "
                    "keep one of the two"
                )
            lines[name] = line
            check_nodes(path, value, checked, (*above, node))


def complete_config(config: Mapping, files: Sequence[str] = ("config.yaml",), own: Mapping | None = None) -> dict:
    """Check a merged configuration and return it ready for use.

    In what is returned, every definition is complete (the schema's defaults filled in, keys in the schema's order) and
    has the chosen scale applied; `data.images` is the scale's number of images or None; `filters.count` is cut to the
    scale's number; `saliency` has the scale's values; `scale` and `scales` are gone.

    Args:
        config: the merged content of the config files. It is not changed.
        files: their paths in the order of merging, for the messages.
        own: the part of it that is not from config.yaml. Its settings win over the scale, unless its own `scales` say
            otherwise. By default the scale wins over all settings.

    Raises:
        InputError: one line that names the file, the key, its value, what is expected and what to do.
    """
    schema = read_schema()
    check_schema(config, schema, files)
    config = copy.deepcopy(dict(config))
    check_experiment(config, files)
    scale = take_scale(config, files, own or {})
    check_model_names(config, scale, files)
    for name, definition in config["definitions"].items():
        changed = scale.change(definition, "definitions", name)
        config["definitions"][name] = complete_definition(name, changed, schema["$defs"]["definition"], scale, files)
    config["data"]["source"] = plain_path(config["data"]["source"])
    config["new_images"] = config["new_images"] and plain_path(config["new_images"])
    config["data"]["images"] = scale.content.get("images")
    limits = scale.own_content if _has(scale.own, ("filters", "count")) else scale.content
    config["filters"]["count"] = min(config["filters"]["count"], limits.get("filters") or config["filters"]["count"])
    config["saliency"] = scale.change(config["saliency"], "saliency")
    check_folds(config, files)
    check_groups(config, files)
    check_layers(config, files)
    check_classes(config, files)
    check_images(config, scale.name, files)
    check_factors(config, files)
    return config


def read_schema() -> dict:
    """The schema of the configuration."""
    with SCHEMA.open(encoding="utf-8") as file:
        # libyaml's parser, where PyYAML was built with it: several times as fast.
        return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def check_schema(config: Mapping, schema: Mapping, files: Sequence[str]) -> None:
    """Refuse the first key, in alphabetical order, that does not fit the schema."""
    # JSON Schema takes 20.0 for a whole number, but Python's `range` refuses it.
    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and is_number(value)
    )
    finite = whole.redefine("number", lambda _, value: is_number(value))
    validator = validators.extend(Draft202012Validator, type_checker=finite)(schema)
    for error in sorted(validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path]):
        raise explain(error, files, validator.evolve(schema=error.schema).is_valid)


def check_experiment(config: Mapping, files: Sequence[str]) -> None:
    """Refuse a demo's name for the user's data, and any other name for the built-in faces."""
    source, name = config["data"]["source"], config["experiment"]
    if (source == "synthetic") != name.startswith("demo"):
        refuse(
            files,
            ["experiment"],
            name,
            f"but data.source is {source!r}: the built-in faces go with an experiment whose name begins with `demo`, "
            "other data with another name; set both keys",
        )


def take_scale(config: dict, files: Sequence[str], own: Mapping) -> Scale:
    """Take `scale` and `scales` out of a configuration; return the chosen scale. For `own` see `complete_config`."""
    scales = {"full": {}} | config.pop("scales")
    name = config.pop("scale")
    if name not in scales:
        refuse(files, ["scale"], name, f"which is not among scales: {names(scales)}{did_you_mean(name, scales)}")
    if name == "demo" and config["data"]["source"] != "synthetic":
        mending = "set scale: small or full, or one of your own under `scales`"
        refuse(files, ["scale"], name, f"which is made for the built-in faces; {mending}")
    return Scale(name, scales[name], own, _inside(own, ("scales", name)))


def check_model_names(config: Mapping, scale: Scale, files: Sequence[str]) -> None:
    """Refuse models, and definitions in the chosen scale, that `definitions` doesn't name, and unfit names of models.

    File systems of macOS and Windows don't tell upper from lower case.
    """
    known, folders = config["definitions"], {}
    for name in known:
        if name.casefold() in FOLDERS:
            folder = f"results/{config['experiment']}/{name.casefold()}"
            text = f"is unfit as a name of a model: {folder} is for something else; rename it"
            raise refusal(files, ["definitions", name], text)
    for name in config["models"]:
        if name not in known:
            hint = did_you_mean(name, known)
            refuse(files, ["models"], name, f"which is not among definitions: {names(known)}{hint}")
        other = folders.setdefault(name.casefold(), name)
        if other != name:
            refuse(files, ["models"], name, f"which differs from {other} in case only; rename one of them")
        check_repetition(name, files, ["models"])
    for name in scale.content.get("definitions", {}):
        if name not in known:
            key = ["scales", scale.name, "definitions"]
            refuse(files, key, name, f"which is not among definitions{did_you_mean(name, known)}")


def check_repetition(name: str, files: Sequence[str], key: Sequence) -> None:
    """Refuse a name that Snakemake takes for a sign of an endless recursion: it ends with 20 times the same."""
    if re.search(r"(.+)\1{19}$", name):
        refuse(files, key, name, "which ends with 20 times the same; choose another name")


def complete_definition(name: str, definition: Mapping, schema: Mapping, scale: Scale, files: Sequence[str]) -> dict:
    """A model's definition, changed by the scale, with the defaults of the schema and of its architecture."""
    definition = with_defaults(definition, schema)
    definition["settings"] = architecture_settings(name, definition, scale, files)
    if definition["exclude_from_training"]:
        definition["exclude_from_training"] = plain_path(definition["exclude_from_training"])
    warmup, epochs = definition["schedule"]["warmup"], definition["epochs"]
    if warmup >= epochs:
        key = scale.place("definitions", name, "schedule", "warmup")
        text = f"but the model trains for {epochs} epoch{'s' * (epochs > 1)}; set a smaller warmup or more epochs"
        refuse(files, key, warmup, text)
    return definition


def architecture_settings(name: str, definition: Mapping, scale: Scale, files: Sequence[str]) -> dict:
    """The complete `settings` of the definition called `name`; refused where they don't fit its architecture."""
    known, architecture = architectures.architecture_names(), definition["architecture"]
    if architecture not in known:
        text = f"which scripts/fercv/nets/architectures.py does not define; it defines {names(known)}"
        refuse(
            files,
            scale.place("definitions", name, "architecture"),
            architecture,
            text + did_you_mean(architecture, known),
        )
    settings = architectures.settings_of(architecture)
    for setting, value in definition["settings"].items():
        key = scale.place("definitions", name, "settings", setting)
        if setting not in settings:
            hint = did_you_mean(setting, settings)
            raise refusal(files, key, f"is unknown, {architecture} takes {names(settings)}{hint}")
        default = settings[setting]
        fits, expected = check_setting(setting, value, default)
        if not fits:
            hint = quoting(value, lambda other, key=setting, default=default: check_setting(key, other, default)[0])
            refuse(files, key, value, f"expected {expected}{hint}")
        settings[setting] = float(value) if isinstance(default, float) else value
    return settings


def check_setting(setting: str, value: object, default: object) -> tuple[bool, str]:
    """Whether a value fits one of an architecture's settings, and what is expected there.

    The type must be that of the default; dropout and width have bounds.
    """
    if setting == "dropout":
        return is_number(value) and 0 <= value < 1, "a number from 0, below 1"
    if setting == "width":
        return is_number(value) and 0 < value <= 16, "a number above 0, at most 16"
    if isinstance(default, bool):
        return isinstance(value, bool), TYPE_NAMES["boolean"]
    if isinstance(default, float):
        return is_number(value), TYPE_NAMES["number"]
    if isinstance(default, int):
        return isinstance(value, int) and is_number(value), TYPE_NAMES["integer"]
    if isinstance(default, str):
        return isinstance(value, str), TYPE_NAMES["string"]
    return isinstance(value, list if isinstance(default, tuple) else type(default)), f"of the kind of {default!r}"


def check_folds(config: Mapping, files: Sequence[str]) -> None:
    """Refuse a block that looks into the model of a fold which does not exist."""
    last = config["folds"]["number"] - 1
    for block in ("saliency", "filters", "feature_maps", "layer_checks"):
        if config[block]["fold"] > last:
            refuse(files, [block, "fold"], config[block]["fold"], f"expected at most {last}, the last fold")


def check_factors(config: Mapping, files: Sequence[str]) -> None:
    """Refuse a factor named as another column, one that is no single setting of each model, and all on unlike folds."""
    if config["factors"] and len({config["definitions"][model]["folds"] for model in config["models"]}) > 1:
        text = "compares models fold by fold, but some have grouped folds and some random ones; take models of one kind"
        raise refusal(files, ["factors"], text)
    for name, path in config["factors"].items():
        key = ["factors", name]
        if name in FACTORS:
            raise refusal(files, key, f"names a column of factors.csv, as do {names(FACTORS)}; rename it")
        levels = {model: levels[name] for model, levels in factor_levels(config).items()}
        for model, level in levels.items():
            if not isinstance(level, bool | int | float | str):
                definition = config["definitions"][model]
                hint = did_you_mean(path, [*definition, *(f"settings.{setting}" for setting in definition["settings"])])
                refuse(files, key, path, f"which is no single setting of {model}{hint}")
        if len(levels) > 1 and len(set(levels.values())) == 1:
            level = levels.popitem()[1]
            refuse(files, key, path, f"but it is {level!r} in all models; add models in which it differs")
    if config["factors"]:
        settings = [(model, single_settings(config["definitions"][model])) for model in config["models"]]
        for (one, first), (other, second) in itertools.combinations(settings, 2):
            check_alike(config["factors"], {one: first, other: second}, files)


def check_alike(factors: Mapping[str, str], settings: Mapping[str, Mapping], files: Sequence[str]) -> None:
    """Refuse two models of one net that differ in one factor and elsewhere: its effect could not be told.

    A block such as `augmentation` may be one factor as a whole. So what stands beside a factor there may differ, too.

    Args:
        factors: the path of each.
        settings: of the two models, as `single_settings` returns them.
        files: see `complete_config`.
    """
    (one, first), (other, second) = settings.items()
    differing = [name for name, path in factors.items() if first.get(path) != second.get(path)]
    if len(differing) != 1 or first["architecture"] != second["architecture"]:
        return
    path = factors[differing[0]]
    block = path.rpartition(".")[0]
    elsewhere = sorted(
        setting
        for setting in first.keys() | second.keys()
        if first.get(setting) != second.get(setting)
        and setting != path
        and (block in ("", "settings") or not setting.startswith(f"{block}."))
    )
    if elsewhere:
        text = (
            f"but {one} and {other} differ in {names(elsewhere)}, too, so its effect cannot be told; a model of your "
            "own gets nothing from a scale: make both alike, or name these as factors"
        )
        refuse(files, ["factors", differing[0]], path, text)


def single_settings(block: Mapping, prefix: str = "") -> dict[str, object]:
    """The settings of a block and of those in it, by their paths."""
    found = {}
    for key, value in block.items():
        path = f"{prefix}{key}"
        found |= single_settings(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found


def factor_levels(config: Mapping) -> dict[str, dict[str, object]]:
    """For each model and factor the setting at the factor's path; None if there is no such setting."""

    def setting_at(value, path):
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    return {
        model: {name: setting_at(config["definitions"][model], path) for name, path in config["factors"].items()}
        for model in config["models"]
    }


def check_groups(config: dict, files: Sequence[str]) -> None:
    """Refuse groups that the data cannot have, and a pattern without a part in parentheses; make paths plain."""
    folds, groups = config["folds"], config["folds"]["groups"] or {}
    if config["data"]["source"] == "synthetic":
        for key in {"column", "pattern"} & set(groups):
            text = "but the built-in faces have neither columns nor file names; set folds.groups.csv, or null"
            refuse(files, ["folds", "groups", key], groups[key], text)
    if "pattern" in groups:
        key, mending = (
            ["folds", "groups", "pattern"],
            "put the part that names the group in parentheses, as in '(S[0-9]+)_'",
        )
        try:
            if not re.compile(groups["pattern"]).groups:
                refuse(files, key, groups["pattern"], f"which has no part in parentheses; {mending}")
        except (re.error, OverflowError, RecursionError) as error:
            refuse(files, key, groups["pattern"], f"which is no regular expression ({error}); {mending}")
    if "csv" in groups:
        groups["csv"] = plain_path(groups["csv"])
    if folds["file"]:
        folds["file"] = plain_path(folds["file"])


def check_layers(config: Mapping, files: Sequence[str]) -> None:
    """Refuse layers that no definition has, and maps of layers that come after the flattening."""
    known = spatial_layers(config, files)
    grad_cam_layer = config["saliency"]["grad_cam_layer"]
    asked = [
        *((["filters", "layers"], layer) for layer in config["filters"]["layers"]),
        *((["feature_maps", "layers"], layer) for layer in config["feature_maps"]["layers"]),
        *([] if grad_cam_layer is None else [(["saliency", "grad_cam_layer"], grad_cam_layer)]),
    ]
    for key, layer in asked:
        if layer not in known:
            refuse(files, key, layer, f"which no definition has{did_you_mean(layer, known)}")
        check_repetition(layer, files, key)
        if key[0] != "filters" and not known[layer]:
            mending = "choose a layer before the first dense or flattening one"
            refuse(files, key, layer, f"which has no height and width; {mending}")


def spatial_layers(config: Mapping, files: Sequence[str]) -> dict[str, bool]:
    """Every layer that a definition names, and whether it has height and width in one of them."""
    known = {}
    for name in config["definitions"]:
        try:
            layers = model_layers(config, name)
        except InputError as error:
            # A definition may be unfit for these images as long as no model of it is trained.
            if name not in config["models"]:
                continue
            raise refusal(files, ["definitions", name], f"does not fit: {error}") from None
        flat = False
        for layer, kind in layers.items():
            flat = flat or kind in ("Flatten", "Dense") or kind.startswith("Global")
            known[layer] = known.get(layer, False) or not flat
    return known


def check_classes(config: Mapping, files: Sequence[str]) -> None:
    """Refuse class names that a table or folder could not tell apart, and for the built-in faces all but their own."""
    data, key, seen = config["data"], ["data", "classes"], set()
    for name in data["classes"]:
        if name.casefold().strip() in seen or name.casefold().strip() in RESERVED or name != name.strip():
            refuse(
                files,
                key,
                name,
                f"expected names that differ in more than case, without outer spaces, other than {names(RESERVED)}, "
                "which name columns of the tables",
            )
        if not name.isprintable():
            refuse(files, key, name, "expected names without line breaks and other hidden characters")
        # Snakemake reads some of these as wildcards, and its report writes the names into a script of its page.
        if set(name) & set("{}<>"):
            refuse(files, key, name, "expected names without any of { } < >, for Snakemake and its report")
        seen.add(name.casefold())
    if data["source"] == "synthetic" and list(data["classes"]) != list(SYNTHETIC_CLASSES):
        refuse(files, key, data["classes"], f"but the built-in faces show {names(SYNTHETIC_CLASSES)}")


def check_images(config: Mapping, scale_name: str, files: Sequence[str]) -> None:
    """Refuse a size that the built-in faces can't have, and a scale with too few images for other settings."""
    data, images = config["data"], config["data"]["images"]
    if data["source"] == "synthetic" and data["image_size"][0] != data["image_size"][1]:
        refuse(files, ["data", "image_size"], data["image_size"], "but the built-in faces are square")
    if images is not None and images < config["folds"]["number"]:
        number = config["folds"]["number"]
        text = f"fewer images than folds.number, which is {number}; choose more images or fewer folds"
        refuse(files, ["scales", scale_name, "images"], images, text)
    shown = config["feature_maps"]
    if images is not None and shown["layers"] and shown["image"] >= images:
        refuse(files, ["feature_maps", "image"], shown["image"], f"expected at most {images - 1}, the last image")


def fold_names(number: int) -> list[str]:
    """The names of the folds, padded to at least two digits: 00, 01, ..."""
    digits = max(2, len(str(number - 1)))
    return [str(fold).zfill(digits) for fold in range(number)]


def leakage_pairs(config: Mapping) -> list[list[str]]:
    """The pairs of models of a completed configuration that differ in nothing but their folds.

    Returns:
        [a model on grouped folds, the same on random folds], in the order of `models`.
    """
    rest = {model: config["definitions"][model] | {"folds": None} for model in config["models"]}
    on = {model: config["definitions"][model]["folds"] for model in config["models"]}
    pairs = itertools.product(config["models"], repeat=2)
    return [
        list(pair)
        for pair in pairs
        if [on[model] for model in pair] == ["grouped", "random"] and rest[pair[0]] == rest[pair[1]]
    ]


def model_layers(config: Mapping, name: str) -> dict[str, str]:
    """The layers of a model of a completed configuration: {name: kind}, see `architectures.layer_names`."""
    definition = config["definitions"][name]
    shape = (*config["data"]["image_size"], 1)
    return architectures.layer_names(
        definition["architecture"], shape, len(config["data"]["classes"]), definition["settings"]
    )


def is_number(value) -> bool:
    """Whether a value is a finite number that a float can hold: not true, .nan, .inf, nor a number of 400 digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def with_defaults(value: Mapping, schema: Mapping) -> dict:
    """A block with the schema's default for each key that it lacks, to any depth, in the order of the schema.

    Numbers that need not be whole become floats: 1 and 1.0 are the same setting, and Keras takes only the latter.
    """
    filled = {}
    for key, rule in schema["properties"].items():
        filled[key] = copy.deepcopy(value.get(key, rule.get("default")))
        if "properties" in rule:
            filled[key] = with_defaults(filled[key], rule)
        elif rule.get("type") == "number":
            filled[key] = float(filled[key])
    return filled


def merge(base: Mapping, change: Mapping) -> dict:
    """`base` with the entries of `change` over it, block by block, as Snakemake merges config files."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
