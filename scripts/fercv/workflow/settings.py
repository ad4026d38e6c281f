"""The configuration: checked against its schema, completed, and scaled.

Standard library, PyYAML and jsonschema only, since the Snakefile runs this at every start.
"""

import copy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, validators

from fercv.data.expressions import CLASSES as SYNTHETIC_CLASSES
from fercv.nets import architectures
from fercv.workflow.errors import InputError
from fercv.workflow.messages import (
    TYPE_NAMES,
    did_you_mean,
    dotted,
    explain,
    legible,
    names,
    origin,
    read_config,
    refuse,
)

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
RESERVED = ("index", "label", "usage", "true", "in_training")


def check_syntax(path: str | Path) -> None:
    """Refuse a config file that is no YAML in UTF-8, before Snakemake reads it and leaves its name and place out.

    Raises:
        InputError: one line that names the file, the line and what is wrong there; also where it would run code.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = read_config(text, yaml.SafeLoader)
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
        # What PyYAML lets through of values that look like a date or a number and are none.
        raise InputError(f"{path}: a value that cannot be read, {' '.join(str(error).split())}; quote it") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else legible(content)
        raise InputError(f"{path}: {found} found, a block of keys expected; restore it")
    if "__use_yte__" in content:
        raise InputError(f"{path}: __use_yte__ would have Snakemake run code of this file; take it out")


def complete_config(config: Mapping, files: Sequence[str] = ("config.yaml",)) -> dict:
    """Check a merged configuration and return it ready for use.

    In what is returned, every definition is complete (the schema's defaults filled in, keys in the schema's order) and
    has the chosen scale applied; `data.images` is the scale's number of images or None; `filters.count` is cut to the
    scale's number; `scale` and `scales` are gone.

    Args:
        config: the merged content of the config files.
        files: their paths in the order of merging, for the messages.

    Raises:
        InputError: one line that names the file, the key, its value, what is expected and the mending.
    """
    with SCHEMA.open(encoding="utf-8") as file:
        # libyaml's parser, where PyYAML was built with it: several times as fast.
        schema = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    check_schema(config, schema, files)

    config = copy.deepcopy(dict(config))
    built_in = config["data"]["source"] == "synthetic"
    if built_in != config["experiment"].startswith("demo"):
        refuse(
            files,
            ["experiment"],
            config["experiment"],
            f"but data.source is {config['data']['source']!r}: the built-in faces go with an experiment whose name "
            "begins with `demo`, other data with another name; set both keys",
        )
    scales = {"full": {}} | config.pop("scales")
    scale_name = config.pop("scale")
    if scale_name not in scales:
        refuse(
            files,
            ["scale"],
            scale_name,
            f"which is not among scales: {names(scales)}{did_you_mean(scale_name, scales)}",
        )
    if scale_name == "demo" and not built_in:
        refuse(
            files,
            ["scale"],
            scale_name,
            "made for the built-in faces; set scale: full, or one of your own under `scales`",
        )
    for name in config["models"]:
        if name not in config["definitions"]:
            hint = did_you_mean(name, config["definitions"])
            refuse(files, ["models"], name, f"which is not among definitions: {names(config['definitions'])}{hint}")
    scale = scales[scale_name]
    for name in scale.get("definitions", {}):
        if name not in config["definitions"]:
            hint = did_you_mean(name, config["definitions"])
            refuse(files, ["scales", scale_name, "definitions"], name, f"which is not among definitions{hint}")

    for name, definition in config["definitions"].items():
        definition = merge(definition, scale.get("definitions", {}).get(name, {}))
        definition = with_defaults(definition, schema["$defs"]["definition"])
        definition["settings"] = check_architecture(name, definition, files)
        config["definitions"][name] = definition
        if definition["schedule"]["warmup"] >= definition["epochs"]:
            refuse(
                files,
                ["definitions", name, "schedule", "warmup"],
                definition["schedule"]["warmup"],
                f"but the model trains for {definition['epochs']} epochs; choose fewer",
            )
    config["data"]["images"] = scale.get("images")
    config["filters"]["count"] = min(config["filters"]["count"], scale.get("filters") or config["filters"]["count"])

    for block in ("saliency", "filters", "feature_maps"):
        if config[block]["fold"] >= config["folds"]["number"]:
            refuse(
                files,
                [block, "fold"],
                config[block]["fold"],
                f"expected at most {config['folds']['number'] - 1}, the last fold",
            )
    check_layers(config, files)
    check_data(config, files)
    return config


def check_layers(config: Mapping, files: Sequence[str]) -> None:
    """Refuse layers asked for that no definition has, and feature maps of layers behind the flattening."""
    known = {}
    for name in config["definitions"]:
        try:
            layers = model_layers(config, name)
        except InputError as error:
            # A definition that doesn't fit the images is no fault as long as it isn't trained.
            if name not in config["models"]:
                continue
            key = ["definitions", name]
            raise InputError(f"{origin(files, key)}: {dotted(key)}: {error}") from None
        flat = False
        for layer, kind in layers.items():
            flat = flat or kind in ("Flatten", "Dense") or kind.startswith("Global")
            known[layer] = known.get(layer, False) or not flat
    for block in ("filters", "feature_maps"):
        for layer in config[block]["layers"]:
            key = [block, "layers"]
            if layer not in known:
                hint = did_you_mean(layer, known)
                refuse(files, key, layer, f"which no definition has{hint}")
            if block == "feature_maps" and not known[layer]:
                mending = "choose a layer before the first dense or flattening one"
                refuse(files, key, layer, f"which has no height and width; {mending}")


def check_data(config: Mapping, files: Sequence[str]) -> None:
    """Refuse class names that no table or folder can tell apart, and what the built-in faces cannot be."""
    data = config["data"]
    seen = set()
    for name in data["classes"]:
        if name.casefold().strip() in seen or name.casefold().strip() in RESERVED or name != name.strip():
            refuse(
                files,
                ["data", "classes"],
                name,
                f"expected names that differ in more than case, without outer spaces, other than {names(RESERVED)}, "
                "which name columns of the tables",
            )
        if not name.isprintable():
            refuse(files, ["data", "classes"], name, "expected names without line breaks and other hidden characters")
        seen.add(name.casefold())
    if data["source"] == "synthetic":
        if list(data["classes"]) != list(SYNTHETIC_CLASSES):
            refuse(
                files, ["data", "classes"], data["classes"], f"but the built-in faces show {names(SYNTHETIC_CLASSES)}"
            )
        if data["image_size"][0] != data["image_size"][1]:
            refuse(files, ["data", "image_size"], data["image_size"], "but the built-in faces are square")
    images = data["images"]
    if images is not None and images < config["folds"]["number"]:
        refuse(files, ["scales"], images, "fewer images than folds.number")
    if images is not None and config["feature_maps"]["image"] >= images:
        refuse(
            files,
            ["feature_maps", "image"],
            config["feature_maps"]["image"],
            f"expected at most {images - 1}, the last image",
        )


def fold_names(number: int) -> list[str]:
    """The names of the folds, padded to at least two digits: 00, 01, ..."""
    digits = max(2, len(str(number - 1)))
    return [str(fold).zfill(digits) for fold in range(number)]


def model_layers(config: Mapping, name: str) -> dict[str, str]:
    """The layers of a model of a completed configuration: {name: kind}, see `architectures.layer_names`."""
    definition = config["definitions"][name]
    shape = (*config["data"]["image_size"], 1)
    return architectures.layer_names(
        definition["architecture"], shape, len(config["data"]["classes"]), definition["settings"]
    )


def check_architecture(name: str, definition: Mapping, files: Sequence[str]) -> dict:
    """The complete settings of a definition's architecture, or an InputError where they do not fit its function."""
    known = architectures.architecture_names()
    architecture = definition["architecture"]
    key = ["definitions", name, "architecture"]
    if architecture not in known:
        text = f"which scripts/fercv/nets/architectures.py does not define; it defines {names(known)}"
        refuse(files, key, architecture, text + did_you_mean(architecture, known))
    settings = architectures.settings_of(architecture)
    for setting, value in definition["settings"].items():
        key = ["definitions", name, "settings", setting]
        if setting not in settings:
            raise InputError(
                f"{origin(files, key)}: {dotted(key)} is unknown, {architecture} takes {names(settings)}"
                f"{did_you_mean(setting, settings)}"
            )
        default = settings[setting]
        kind = "boolean" if isinstance(default, bool) else "number" if isinstance(default, float) else None
        fits = {
            "boolean": isinstance(value, bool),
            "number": is_number(value),
            None: isinstance(value, list if isinstance(default, tuple) else type(default)),
        }[kind]
        expected = TYPE_NAMES.get(kind, f"of the kind of {default!r}")
        if setting == "dropout":
            fits, expected = fits and 0 <= value < 1, "a number from 0, below 1"
        elif setting == "width":
            fits, expected = fits and 0 < value <= 16, "a number above 0, at most 16"
        if not fits:
            refuse(files, key, value, f"expected {expected}")
    given = definition["settings"].items()
    return settings | {name: float(value) if isinstance(settings[name], float) else value for name, value in given}


def check_schema(config: Mapping, schema: Mapping, files: Sequence[str]) -> None:
    """Raise an InputError for the first key, in alphabetical order, that does not fit the schema."""
    # JSON counts 20.0 among the whole numbers; Python's range does not.
    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and is_number(value)
    )
    finite = whole.redefine("number", lambda _, value: is_number(value))
    validator = validators.extend(Draft202012Validator, type_checker=finite)(schema)
    for error in sorted(validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path]):
        raise InputError(explain(error, files))


def is_number(value) -> bool:
    """Whether a value can be a float: .nan and .inf are numbers in YAML, but inside no bounds, as are 400 digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def with_defaults(value: Mapping, schema: Mapping) -> dict:
    """A block with the schema's defaults where it is silent, to any depth, in the order of the schema.

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
