"""Nested frozen dataclasses of settings as JSON, and back; nothing is evaluated."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from workbench.errors import StaleRun, Unsupported

TYPE = "type"


def encode(value: Any) -> Any:
    """Settings as JSON can hold them: a dataclass as an object that names its class.

    Raises:
        Unsupported: for what is neither a number, a string, a list nor such a dataclass.

    >>> import workbench as wb
    >>> encode(wb.Subset(particles=50))["type"], encode((1, 2.5, None))
    ('Subset', [1, 2.5, None])
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [encode(v) for v in value]
        case dict():
            return {str(k): encode(v) for k, v in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return {TYPE: type(value).__name__, **fields}
    raise Unsupported(f"a setting of type {type(value).__name__}", "a run keeps plain values only")


def decode(raw: Any, known: Iterable[type]) -> Any:
    """Inverse of `encode`, given the classes that may occur; lists come back as tuples.

    Raises:
        StaleRun: where a class is not among them, or has other settings now.
    """
    classes = {cls.__name__: cls for cls in known}

    def value_of(part: Any) -> Any:
        if isinstance(part, list):
            return tuple(value_of(v) for v in part)
        if not isinstance(part, dict):
            return part
        fields = {k: value_of(v) for k, v in part.items() if k != TYPE}
        if TYPE not in part:
            return fields
        try:
            return classes[part[TYPE]](**fields)
        except (KeyError, TypeError, ValueError):  # BadInput among them
            names = ", ".join(map(str, fields))
            raise StaleRun(
                f"this workbench has no {part[TYPE]!r} with the settings {names} of "
                "the run: use the one that made it"
            ) from None

    return value_of(raw)
