"""The words of a refusal: which file, which key, what was found, what is expected, and which name may be meant.

It imports the standard library and PyYAML only, since the Snakefile needs it at every start.
"""

import contextlib
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from fercv.workflow.errors import InputError

NAME = "a name of letters, digits, - and _ that begins with a letter"
TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of keys",
    "null": "null",
}


def did_you_mean(name: object, known: Iterable) -> str:
    """`; did you mean 'x'?` where one of the known names is close, whatever its case; otherwise nothing."""
    names = {str(value).casefold(): str(value) for value in known}
    close = difflib.get_close_matches(str(name).casefold(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def names(values: Iterable) -> str:
    """A list of names for a message."""
    return ", ".join(map(legible, values))


def legible(name: object) -> str:
    """A name for a message, quoted where it would break the line."""
    text = str(name)
    return text if text.isprintable() else repr(text)


def refuse(files: Sequence[str], key: Sequence, value: object, text: str) -> NoReturn:
    """Raise an InputError for a value at a key of the configuration: `<file>: <key> is <value>, <text>`.

    Args:
        files: the config files, see `origin`.
        key: the path of the key, e.g. ["definitions", "cnn", "epochs"].
        value: what the key holds, or the entry of its list that is wrong.
        text: what is expected, and what to do.
    """
    raise refusal(files, key, f"is {shown(value)}, {text}")


def refusal(files: Sequence[str], key: Sequence, text: str, *value: object) -> InputError:
    """The InputError for a key of the configuration: `<file>: <key> <text>`; for `files` and `value` see `origin`."""
    return InputError(f"{origin(files, key, *value)}: {dotted(key)} {text}")


def explain(error, files: Sequence[str]) -> InputError:
    """The InputError for an error that jsonschema found in the configuration; for `files` see `origin`."""
    path, value, rule = list(error.absolute_path), error.instance, error.schema
    if error.validator == "additionalProperties":
        known = rule.get("properties", {})
        key = next(key for key in value if key not in known)
        return refusal(files, [*path, key], f"is unknown{did_you_mean(key, known)}; known here: {names(known)}")
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in value)
        return refusal(files, path, f"lacks the key {legible(missing)}; config.yaml shows it")
    if "propertyNames" in error.absolute_schema_path:
        return refusal(files, [*path, value], f"is no name, expected {NAME}; rename it, or quote it if it is one")
    hint = ""
    if isinstance(value, str) and rule.get("type") in ("number", "integer"):
        with contextlib.suppress(ValueError):
            hint = f" (YAML reads {value} as a text: write {float(value)!r}, without quotes)"
    if isinstance(value, str) and "enum" in rule:
        hint = did_you_mean(value, rule["enum"])
    return refusal(files, path, f"is {shown(value)}, expected {expected(error.validator, rule)}{hint}", value)


def expected(validator: str, rule: Mapping) -> str:
    """What a rule of the schema expects: its description, or the types that it allows."""
    if "description" in rule:
        return rule["description"]
    if "pattern" in rule:
        return NAME
    types = rule.get("type", [])
    types = [types] if isinstance(types, str) else types
    return " or ".join(TYPE_NAMES[name] for name in types) or f"what {validator} asks"


def origin(files: Sequence[str], key: Sequence, *value: object) -> str:
    """Where a key of the configuration stands.

    Args:
        files: the config files, in the order in which Snakemake merges them.
        key: the path of the key.
        value: what the key holds, if that is to be compared.

    Returns:
        The last of the files that holds the key (with the value); where none does, the last file or the command line.
    """
    for file in reversed(files):
        try:
            node = read_config(Path(file).read_text(encoding="utf-8"), yaml.FullLoader)
        except (OSError, ValueError, yaml.YAMLError):
            # Snakemake itself could read this file, perhaps as a template: that is no reason to refuse it here.
            continue
        for part in key:
            inside = part in node if isinstance(node, Mapping) else isinstance(node, list) and isinstance(part, int)
            if not inside:
                break
            node = node[part]
        else:
            if not value or node == value[0]:
                return str(file)
    return f"{files[-1]} or --config" if files else "config"


def read_config(text: str, loader) -> object:
    """The content of a config file as Snakemake reads it: as JSON if it is JSON, otherwise as YAML.

    PyYAML's own parser reads it. libyaml's parser would be faster, but it takes some tabs that PyYAML refuses.

    Args:
        text: the file's.
        loader: of PyYAML. Snakemake's is `yaml.FullLoader`; `yaml.SafeLoader` knows fewer tags.
    """
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, Loader=loader)


def dotted(key: Sequence) -> str:
    """A key's path as it is written in messages, e.g. `data.image_size.0`."""
    return ".".join(map(legible, key)) or "the configuration"


def shown(value: object) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
