"""JSON values as the dataclasses they were written from."""

import reprlib
import sys
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from molmeta.errors import ConfigError


def from_json(value: Any, wanted: Any, where: str) -> Any:
    """`value`, as `json` gives it, as the annotated type `wanted`.

    A dict becomes a dataclass and a list a tuple; nothing else is converted, but a whole number
    may stand for a float. Entries that are missing take the dataclass's default, so a setting that
    is added later must default to what the code did before it was there.

    Args:
        value: bool, int, float, str, or lists and dicts of them.
        wanted: a dataclass, bool, int, float, str, Any, `Literal[...]`, `tuple[X, ...]` or
            `dict[str, X]`.
        where: name of the value in messages.

    Raises:
        ConfigError: an entry is unknown, missing or of another type.
    """
    kind, arguments = get_origin(wanted) or wanted, get_args(wanted)
    if is_dataclass(kind) and isinstance(value, dict):
        return _dataclass(value, kind, where)
    if kind is tuple and isinstance(value, (list, tuple)):
        return tuple(from_json(item, arguments[0], where) for item in value)
    if kind is dict and isinstance(value, dict):
        return {key: from_json(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    # The comparison is false for NaN, infinity and whole numbers that no float can hold.
    if kind is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    if kind is Any or (type(value) is kind and kind is not float):
        return value
    if kind is Literal and value in arguments:
        return value
    raise ConfigError(f"{where} cannot be {reprlib.repr(value)}.")


def _dataclass(values: dict[str, Any], wanted: Any, where: str) -> Any:
    known = {field.name: field for field in fields(wanted)}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise ConfigError(
            f"{where} has no entry {reprlib.repr(unknown[0])}; it has {', '.join(known)}."
        )
    for name, field in known.items():
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where} lacks the entry {name}.")
    types = get_type_hints(wanted)
    return wanted(
        **{name: from_json(value, types[name], f"{where}.{name}") for name, value in values.items()}
    )
