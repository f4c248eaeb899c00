"""Frozen dataclasses to JSON and back, checked field by field against their annotations.

Only what a report needs: dataclasses, tuples of one element type, mappings with text keys, optional
values, text, numbers and truth values. Whoever reads gets exactly the types that are declared, or an
error that names the place (`recordings[0].contenders[3].rank_ic.value`).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

from dantaro.errors import DocumentInvalid

_T = TypeVar("_T")


def dump(value: object) -> bytes:
    """`value`, a frozen dataclass, as JSON in the order of its fields; equal values give equal bytes.

    Raises:
        DocumentInvalid: a value is not of its declared type, or a number is not finite (a figure
            that is not known must be None, with its reason).
    """
    plain = _plain(type(value), value, "")
    return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)


def parse(body: bytes) -> object:
    """The plain JSON value that `body` holds.

    Raises:
        DocumentInvalid: the bytes are no JSON, or hold NaN or Infinity.
    """
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except ValueError as error:
        raise DocumentInvalid(f"not a JSON document: {error}") from error


def build(kind: type[_T], plain: object) -> _T:
    """The `kind` that a plain JSON value describes.

    Raises:
        DocumentInvalid: a field is missing, unknown or of another type.
    """
    return cast(_T, _built(kind, plain, ""))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


@cache
def hints_of(kind: type) -> Mapping[str, Any]:
    """The annotations of a dataclass's fields, in their order."""
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}


def options(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; a plain annotation is its own only one."""
    return get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)


def _plain(hint: Any, value: Any, at: str) -> Any:
    chosen = _option(hint, value, at)
    if is_dataclass(chosen):
        hints = hints_of(cast(type, chosen))
        return {n: _plain(hints[n], getattr(value, n), _inside(at, n)) for n in hints}
    if get_origin(chosen) is tuple:
        item = get_args(chosen)[0]
        return [_plain(item, each, f"{at}[{i}]") for i, each in enumerate(value)]
    if get_origin(chosen) is Mapping:
        item = get_args(chosen)[1]
        return {_text(k, at): _plain(item, value[k], f"{at}[{k!r}]") for k in sorted(value)}
    return float(value) if chosen is float else value


def _built(hint: Any, value: Any, at: str) -> Any:
    chosen = _option(hint, value, at, parsed=True)
    if is_dataclass(chosen):
        return _built_dataclass(cast(type, chosen), value, at)
    if get_origin(chosen) is tuple:
        item = get_args(chosen)[0]
        return tuple(_built(item, each, f"{at}[{i}]") for i, each in enumerate(value))
    if get_origin(chosen) is Mapping:
        item = get_args(chosen)[1]
        return {k: _built(item, each, f"{at}[{k!r}]") for k, each in value.items()}
    return float(value) if chosen is float else value


def _built_dataclass(kind: type, value: Mapping[str, Any], at: str) -> object:
    hints = hints_of(kind)
    for problem, names in (("unknown", value.keys() - hints), ("missing", hints.keys() - value)):
        if names:
            raise DocumentInvalid(f"{at or 'the document'}: {problem} {', '.join(sorted(names))}")
    return kind(**{name: _built(hints[name], value[name], _inside(at, name)) for name in hints})


def _option(hint: Any, value: Any, at: str, *, parsed: bool = False) -> Any:
    """The alternative of `hint` that `value` is of; an exact number type goes before a wider one."""
    for each in sorted(options(hint), key=lambda option: option is float):
        if _is_of(each, value, parsed=parsed):
            return each
    raise DocumentInvalid(f"{at or 'the document'}: {value!r:.60} is not {_said(hint)}")


def _is_of(hint: Any, value: Any, *, parsed: bool) -> bool:
    if is_dataclass(hint):
        return isinstance(value, dict) if parsed else type(value) is hint
    if get_origin(hint) is tuple:
        return isinstance(value, list if parsed else tuple)
    if get_origin(hint) is Mapping:
        return isinstance(value, Mapping)
    if hint is float:
        return isinstance(value, (int, float)) and type(value) is not bool and math.isfinite(value)
    return type(value) is (NoneType if hint is None else hint)


def _said(hint: Any) -> str:
    names = (getattr(each, "__name__", str(each)) for each in options(hint))
    return " or ".join("a finite number" if name == "float" else name for name in names)


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _text(key: object, at: str) -> str:
    if type(key) is not str:
        raise DocumentInvalid(f"{at}: the key {key!r} is not text")
    return key
