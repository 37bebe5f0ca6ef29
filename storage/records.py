"""Records: versioned frozen dataclasses in JSON files, read and written only by these functions.

A record's class has VERSION, the newest known version, and a field `version`. A file without one has version 0, from
before versions existed: `upgraded` of its class, if there is one, fills in or converts its contents. A missing key gets
the default of its field; an unknown key is dropped, unless a field with the metadata REST collects such keys.
"""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .atomic import write_text

REST = {"rest": True}
"""Metadata of a mapping field that collects the keys of a record's object that no other field has."""
LEFT_OUT = {"left_out": True}
"""Metadata of a field that a file has no key for where it has its default."""

R = TypeVar("R")


def read_record(kind: type[R], path: Path, damaged: Callable[[Path, ValueError], str] | None = None) -> R:
    """Read a record from its file.

    Raises:
        ValueError: it is not JSON, lacks a key, has a value of another type, or has a newer version.
        OSError: it cannot be read.

    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(damaged(path, error) if damaged else f"{path} is damaged ({error}); copy it again") from error
    return from_json(kind, found, str(path))


def write_record(path: Path, record: Any) -> None:
    """Write a record to its file, completely or not at all."""
    # A name of a file that is not UTF-8 has halves of surrogate pairs, which JSON writes as \udce9, and so does this.
    text = json.dumps(as_json(record), indent=2, ensure_ascii=False)
    write_text(path, f"{text}\n", "backslashreplace")


def from_json(kind: type[R], found: Any, file: str) -> R:
    """Return a record from the contents of its file; ValueError with the name of the file and of the key."""
    return _value(kind, found, file, "")


def as_json(record: Any) -> Any:
    """Return the contents of a record's file."""
    if is_dataclass(record):
        held: dict[str, Any] = {}
        for each in fields(record):
            if each.metadata.get("left_out") and getattr(record, each.name) == each.default:
                continue
            value = as_json(getattr(record, each.name))
            held |= value if each.metadata.get("rest") else {each.name: value}
        return held
    if isinstance(record, Mapping):
        return {key: as_json(value) for key, value in record.items()}
    return [as_json(each) for each in record] if isinstance(record, list | tuple) else record


def _value(kind: Any, found: Any, file: str, key: str) -> Any:
    """Return a value of the given type; `key` is its path."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return found
    if origin in (Union, types.UnionType):
        if found is None and type(None) in args:
            return None
        return _value(next(each for each in args if each is not type(None)), found, file, key)
    if is_dataclass(kind) and isinstance(found, dict):
        return _record(kind, found, file, key)
    if origin is tuple and isinstance(found, list | tuple):
        inner = [args[0]] * len(found) if args[-1] is Ellipsis else list(args)
        if len(inner) == len(found):
            return tuple(_value(each, found[n], file, f"{key}[{n}]") for n, each in enumerate(inner))
    if origin in (dict, Mapping) and isinstance(found, dict):
        return {name: _value(args[1], part, file, f"{key}.{name}") for name, part in found.items()}
    is_of_kind = isinstance(kind, type) and isinstance(found, (int, float) if kind is float else kind)
    if is_of_kind and (kind is bool or not isinstance(found, bool)):
        return found  # an int stays an int in a float field
    name = kind.__name__ if isinstance(kind, type) and origin is None else str(kind)
    what = key.strip(".") or "what it holds"
    raise ValueError(f"{file}: {what} is {found!r:.60} and must be of the type {name}; copy it again")


def _record(kind: Any, found: dict[str, Any], file: str, key: str) -> Any:
    """Return a record from an object."""
    newest = getattr(kind, "VERSION", None)
    if newest is not None:
        version = found.get("version", 0)
        if not isinstance(version, int) or version > newest:
            raise ValueError(
                f"{file} is of version {version!r}, and this version of vaswani reads versions up to {newest}; update "
                "vaswani, or use the version that wrote it"
            )
        if hasattr(kind, "upgraded"):
            found = kind.upgraded(found)
        found = {**found, "version": newest}
    hints, own = get_type_hints(kind), fields(kind)
    names = {each.name for each in own}
    values: dict[str, Any] = {}
    for each in own:
        if each.metadata.get("rest"):
            rest = {name: value for name, value in found.items() if name not in names}
            values[each.name] = _value(hints[each.name], rest, file, key)
        elif each.name in found:
            values[each.name] = _value(hints[each.name], found[each.name], file, f"{key}.{each.name}")
        elif _has_no_default(each):
            raise ValueError(f"{file} lacks {f'{key}.{each.name}'.strip('.')}; copy it again")
    return kind(**values)


def _has_no_default(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING
