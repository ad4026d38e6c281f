"""The words of a refusal: which file, which key, what was found, what is expected, and which name may be meant.

It imports the standard library and PyYAML only, since the Snakefile needs it at every start.
"""

import contextlib
import datetime
import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from fercv.workflow.errors import InputError

NAME = "a name of at most 64 letters, digits, - and _ that begins with a letter"
TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of keys",
    "null": "null",
}
# The end of an origin that is no file, see `origin`.
COMMAND_LINE = " or --config"


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


def explain(error, files: Sequence[str], fits: Callable[[object], bool]) -> InputError:
    """The InputError for an error that jsonschema found in the configuration.

    Args:
        error: jsonschema's.
        files: see `origin`.
        fits: whether the rule that the error is about accepts another value.
    """
    path, value, rule = list(error.absolute_path), error.instance, error.schema
    if error.validator == "additionalProperties":
        known = rule.get("properties", {})
        key = next(key for key in value if key not in known)
        if str(key).startswith("?"):
            return refusal(files, [*path, key], "is an expression of YTE, which is not computed; write plain settings")
        return refusal(files, [*path, key], f"is unknown{did_you_mean(key, known)}; known here: {names(known)}")
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in value)
        return refusal(files, path, f"lacks the key {legible(missing)}; config.yaml shows it")
    if "propertyNames" in error.absolute_schema_path:
        return refusal(files, [*path, value], f"is no name, expected {NAME}; rename it, or quote it if it is one")
    if isinstance(value, str) and "enum" in rule:
        hint = did_you_mean(value, rule["enum"])
    elif isinstance(value, float) and "integer" in rule.get("type", ()):
        hint = ", as a whole number"
    else:
        hint = quoting(value, fits)
        if hint and isinstance(value, str) and len(path) > 1 and origin(files, path, value).endswith(COMMAND_LINE):
            hint += (
                "; what stands in braces after --config, Snakemake reads as texts: write it into a file for "
                "--configfile"
            )
    return refusal(files, path, f"is {shown(value)}, expected {expected(error.validator, rule)}{hint}", value)


def expected(validator: str, rule: Mapping) -> str:
    """What a rule of the schema expects: its description, or the types that it allows."""
    types = rule.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "description" in rule:
        text = rule["description"]
        tell_type = "integer" in types and not text.startswith(TYPE_NAMES["integer"])
        return f"{TYPE_NAMES['integer']}: {text}" if tell_type else text
    if "pattern" in rule:
        return NAME
    return " or ".join(TYPE_NAMES[name] for name in types) or f"what {validator} asks"


def quoting(value: object, fits: Callable[[object], bool]) -> str:
    """How to write a value that YAML has read as another type than it was meant as; nothing if that is not the mistake.

    Args:
        value: what YAML has read. To YAML, 1e5 and "3" are texts, and 2024 and yes are not.
        fits: whether a value is accepted in its place.
    """
    if not isinstance(value, str):
        text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else shown(value)
        is_scalar = isinstance(value, int | float | datetime.date)
        return f" (YAML reads it as no text: put it in quotes, such as {json.dumps(text)})" * (is_scalar and fits(text))
    meant = []
    for read in (lambda text: yaml.SafeLoader.bool_values[text.casefold()], int, float, lambda text: int(float(text))):
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            meant.append(read(value))
    for other in meant:
        if fits(other):
            # YAML takes neither 1e-07, as Python writes it, nor 1e5 for a number.
            written = yaml.safe_dump(other).split()[0]
            return f" (YAML reads {legible(value)} as a text: write {written}, without quotes)"
    return ""


def origin(files: Sequence[str], key: Sequence, *value: object) -> str:
    """Where a key of the configuration stands.

    Args:
        files: the config files, in the order in which Snakemake merges them.
        key: the path of the key.
        value: what the key holds, if that is to be compared.

    Returns:
        The last of the files that holds the key (with the value). If only the first one does, the last one, and that it
        leaves the key to the first. If none does, the last one or the command line.
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
                # An experiment's own file is the one to change. What it does not name, config.yaml has.
                own = len(files) > 1 and file == files[0]
                return f"{files[-1]}, which leaves it to {Path(file).name}" if own else str(file)
    return f"{files[-1]}{COMMAND_LINE}" if files else "config"


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
    """A value for a message as YAML writes it, cut where it is long."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = str(value) if isinstance(value, datetime.date) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
