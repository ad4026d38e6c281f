"""The words of a refusal: which file, which key, what was found, what is expected, and the name that was meant.

Standard library and PyYAML only, since the Snakefile needs it at every start.
"""

import contextlib
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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
    """`; did you mean 'x'?` where one of the known names is close, whatever its case; else nothing."""
    names = {str(value).casefold(): str(value) for value in known}
    close = difflib.get_close_matches(str(name).casefold(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def read_config(text: str, loader) -> object:
    """The content of a config file as Snakemake takes it: JSON, or else YAML by PyYAML's own parser.

    libyaml's parser would be faster, and takes some tabs that PyYAML refuses.

    Args:
        text: the file's.
        loader: of PyYAML; Snakemake's is `yaml.FullLoader`, `yaml.SafeLoader` knows fewer tags.
    """
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, Loader=loader)


def explain(error, files: Sequence[str]) -> str:
    """One line for a jsonschema error."""
    path, value, rule = list(error.absolute_path), error.instance, error.schema
    if error.validator == "additionalProperties":
        known = rule.get("properties", {})
        key = next(key for key in value if key not in known)
        return (
            f"{origin(files, [*path, key])}: {dotted([*path, key])} is unknown{did_you_mean(key, known)}; "
            f"known here: {names(known)}"
        )
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in value)
        return f"{origin(files, path)}: {dotted([*path, missing])} is missing; config.yaml shows it"
    if "propertyNames" in error.absolute_schema_path:
        key = [*path, value]
        return f"{origin(files, key)}: {dotted(key)} is no name, expected {NAME}; rename it, or quote it if it is one"
    description = rule.get("description")
    if description is None:
        kinds = rule.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        description = " or ".join(TYPE_NAMES[kind] for kind in kinds) or f"what {error.validator} asks"
        if "pattern" in rule:
            description = NAME
    hint = ""
    if isinstance(value, str) and rule.get("type") in ("number", "integer"):
        with contextlib.suppress(ValueError):
            hint = f" (YAML reads {value} as a text: write {float(value)!r}, without quotes)"
    if isinstance(value, str) and "enum" in rule:
        hint = did_you_mean(value, rule["enum"])
    return f"{origin(files, path, value)}: {dotted(path)} is {shown(value)}, expected {description}{hint}"


def refuse(files: Sequence[str], key: Sequence, value, text: str) -> None:
    """Raise an InputError for a key's value: `<file>: <key> is <value>, <text>`."""
    raise InputError(f"{origin(files, key)}: {dotted(key)} is {value!r}, {text}")


def origin(files: Sequence[str], key: Sequence, *value) -> str:
    """The last of the config files that holds a key, with a value if one is given; where none does, what may have."""
    for file in reversed(files):
        try:
            node = read_config(Path(file).read_text(encoding="utf-8"), yaml.FullLoader)
        except (OSError, ValueError, yaml.YAMLError):
            # Snakemake has read it, perhaps by a template of its own; here it is asked for a name only.
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


def dotted(key: Sequence) -> str:
    """A key's path as it is written in messages, e.g. `data.image_size.0`."""
    return ".".join(map(legible, key)) or "the configuration"


def shown(value) -> str:
    """A value as it stands in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def names(values) -> str:
    """A list of names for a message."""
    return ", ".join(map(legible, values))


def legible(name) -> str:
    """A name as it stands in a message, quoted where it would break the line."""
    text = str(name)
    return text if text.isprintable() else repr(text)
