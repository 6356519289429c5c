"""Settings and budgets as they are typed on the command line."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.adversaries import Family
    from workbench.anomaly.detectors import Detector
    from workbench.estimators import Estimator
    from workbench.iteration import Budget

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def fields_of(cls: type) -> dict[str, tuple[Any, Any]]:
    """Type and default of every setting of a dataclass, by name."""
    hints = typing.get_type_hints(cls)
    return {f.name: (hints[f.name], f.default) for f in dataclasses.fields(cls)}


def type_name(kind: Any) -> str:
    """A type as a user reads it.

    >>> type_name(int), type_name(float | None)
    ('int', 'float or none')
    """
    if isinstance(kind, types.UnionType):
        return " or ".join(type_name(k) for k in typing.get_args(kind))
    if kind is types.NoneType:
        return "none"
    return getattr(kind, "__name__", str(kind))


def build(name: str, assignments: Sequence[str]) -> "Estimator":
    """The estimator of that name with settings from `key=value` texts.

    Raises:
        BadInput: on an unknown name or key, a value of another type, or one that is out of range.
    """
    return _made(estimator_class(name), assignments)


def build_written(text: str) -> "Estimator":
    """The estimator that `name[key=value, key=value]` says, or `name`; errors as `build`.

    >>> build_written("conditioned[search=fitted, lines=64]").search
    'fitted'
    """
    name, opened, rest = text.strip().partition("[")
    inner, closed, after = rest.rpartition("]")
    if opened and not (closed and not after and inner.strip()):
        raise BadInput(f"an estimator reads name or name[key=value, ...], got {text!r}")
    return build(name.strip(), inner.split(",") if opened else [])


def build_family(name: str, assignments: Sequence[str]) -> "Family":
    """The family of adversaries of that name, with settings and errors as `build`."""
    from workbench.adversaries import family

    return _made(type(family(name)), assignments)


def build_detector(name: str, assignments: Sequence[str]) -> "Detector":
    """The detector of anomalies of that name, with settings and errors as `build`."""
    from workbench.anomaly.detectors import ALL

    return _made(_named("detector", name, {cls.name: cls for cls in ALL}), assignments)


def _made(cls: Any, assignments: Sequence[str]) -> Any:
    return cls(**values_of(cls, assignments))


def values_of(cls: Any, assignments: Sequence[str]) -> dict[str, Any]:
    """Settings of a dataclass with a `name` from `key=value` texts; errors as `build`."""
    fields = fields_of(cls)
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise BadInput(f"a setting reads key=value, got {text!r}")
        if key not in fields:
            known = ", ".join(fields) or "it has none"
            raise BadInput(f"{cls.name} has no setting {key!r}: its settings are {known}")
        values[key] = parse(f"{cls.name}: {key}", value.strip(), fields[key][0])
    return values


def parse(what: str, text: str, kind: Any) -> Any:
    """A value of the given type; texts are parsed, never evaluated.

    >>> parse("particles", "1e3", int), parse("exact", "yes", bool), parse("x", "none", int | None)
    (1000, True, None)
    """
    if isinstance(kind, types.UnionType):
        parts = typing.get_args(kind)
        if types.NoneType in parts and text.lower() == "none":
            return None
        kind = next(k for k in parts if k is not types.NoneType)
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise BadInput(f"{what} must be true or false, got {text!r}")
    if kind in (int, float):
        number = _number(text, kind)
        if number is None:
            want = "a whole number" if kind is int else "a number"
            raise BadInput(f"{what} must be {want}, got {text!r}")
        return number
    raise BadInput(f"{what} is a {type_name(kind)}, which cannot be given on the command line")


def whole(text: str) -> int:
    """An option that is a whole number; 1e5 is one."""
    return _option(text, int)


def real(text: str) -> float:
    """An option that is a number."""
    return _option(text, float)


def _option(text: str, kind: type) -> Any:
    try:
        return parse("it", str(text), kind)
    except BadInput as error:
        raise typer.BadParameter(str(error)) from None


def _number(text: str, kind: type) -> int | float | None:
    """What the text says; None where that is no number, or no whole one where `kind` is int."""
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or (kind is int and not number.is_integer()):
        return None
    if kind is int:
        with suppress(ValueError):  # 1e5
            return int(text)  # all digits, of which a float would round some
    return kind(number)


def estimator_class(name: str) -> "type[Estimator]":
    """The estimator of that name. Raises `BadInput` with the known names."""
    from workbench.estimators import ALL

    return _named("estimator", name, {cls.name: cls for cls in ALL})


def _named(what: str, name: str, known: dict[str, Any]) -> Any:
    if name in known:
        return known[name]
    near = [k for k in known if name and k.startswith(name)]
    near = near or difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}" if near else f"use one of {', '.join(known)}"
    raise BadInput(f"no {what} is called {name!r}: {hint}")


def budget_of(forwards: int | None, seconds: float | None) -> "Budget":
    """A budget of forward passes, of seconds, or of both; 100,000 forward passes by default."""
    from workbench.iteration import Budget

    return Budget() if forwards is None and seconds is None else Budget(forwards, seconds)
