"""Which rows the screens show, in what order and under what names; all of it from `estimators.ALL`.

An estimator has one row, or one for every value of a setting that is worth a row. Its `pace` says
whether a row is made anew while a slider moves, once the sliders rest, or when it is asked for.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

from workbench.errors import BadInput
from workbench.estimators import ALL, Estimator
from workbench.types import Pace

BY_NAME: dict[str, type[Estimator]] = {cls.name: cls for cls in ALL}
SPREAD: dict[str, str] = {"moments": "propagator"}
"""Estimators that get one row for every choice of a setting."""
TITLES = {
    "monte_carlo": "Monte Carlo",
    "slices": "propagation of slices",
    "gld": "Gaussian fit to samples",
    "importance": "importance sampling",
    "subset": "subset simulation",
    "cross_entropy": "cross-entropy method",
    "itgis": "ITGIS",
    "mhis": "MHIS",
    "qld": "QLD",
    "lower": "proved lower bound",
    "upper": "proved upper bound",
}
"""Where the name itself, without its underscores, would not do."""

Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Entry:
    """A row to be: its stable key ("moments" is covariance propagation), name and estimator."""

    key: str
    title: str
    cls: type[Estimator]
    fixed: tuple[tuple[str, Any], ...] = ()
    """The setting that tells this row from the others of its estimator."""
    made: Estimator | None = None
    """An estimator of a reader's own, which runs as it was made."""

    @property
    def pace(self) -> Pace:
        """When the screen makes it by itself."""
        return self.cls.pace

    def build(self, settings: Settings) -> Estimator:
        """The estimator with its settings. Raises `BadInput`."""
        return self.made or build(self.cls.name, settings, **dict(self.fixed))


@cache
def roster() -> dict[str, Entry]:
    """{key: entry} in the order of the table: live rows, rows at rest, rows on demand."""
    found = [entry for pace in Pace for cls in ALL if cls.pace is pace for entry in _entries(cls)]
    return {entry.key: entry for entry in found}


def heading(cls: type[Any]) -> str:
    """What an estimator is called, whatever rows it has."""
    name: str = cls.name
    return TITLES.get(name, name.replace("_", " "))


def _entries(cls: type[Estimator]) -> list[Entry]:
    spread = SPREAD.get(cls.name)
    if spread is None:
        return [Entry(cls.name, heading(cls), cls)]
    usual = getattr(cls(), spread)
    return [
        Entry(
            cls.name if value == usual else f"{cls.name}_{value}",
            f"{value.replace('_', ' ')} propagation", cls, ((spread, value),),
        )
        for value in sorted(cls.choices[spread], key=lambda v: v != usual)
    ]  # fmt: skip


def askable() -> tuple[Entry, ...]:
    """The rows that may need a button of their own: all but Monte Carlo, which has three."""
    return tuple(entry for key, entry in roster().items() if key != "monte_carlo")


def title(key: str) -> str:
    """What table and charts call a row."""
    return roster()[key].title if key in roster() else key.replace("_", " ")


def key_of(name: str, settings: Mapping[str, Any]) -> str:
    """The row that a run of an estimator with these settings belongs to."""
    spread = SPREAD.get(name)
    key = f"{name}_{settings.get(spread)}" if spread else name
    return key if key in roster() else name


def build(name: str, settings: Settings, **more: Any) -> Estimator:
    """An estimator with its settings. Raises `BadInput` for what it does not know."""
    cls = BY_NAME.get(name)
    if cls is None:
        raise BadInput(f"unknown estimator {name!r}: use one of {', '.join(BY_NAME)}")
    mine = settings.get(name, {})
    if not isinstance(mine, Mapping):
        raise BadInput(f"the settings of {name} must be names and values, got {mine!r}")
    given = {**mine, **more}
    known = cls().settings()
    for key, value in given.items():
        if key not in known:
            raise BadInput(f"{name} has no setting {key!r}: it has {', '.join(known)}")
        wanted = type(known[key])
        if wanted is type(None):
            continue  # the usual value tells no type; the estimator itself refuses what is wrong
        if not isinstance(value, (int, float) if wanted is float else wanted):
            raise BadInput(f"{name}: {key} must be of type {wanted.__name__}, got {value!r}")
    return cls(**given)


def picked(
    given: Iterable[str | Estimator], settings: Settings
) -> tuple[list[str], dict[str, Any], dict[str, Entry]]:
    """Rows by their keys, the settings with those of estimators that came as they are made, and
    the rows of a reader's own estimators.

    Raises:
        BadInput: for what is no row, or two estimators of one.
    """
    keys: list[str] = []
    mine: dict[str, Entry] = {}
    kept: dict[str, Any] = dict(settings)
    for one in given:
        key = one if isinstance(one, str) else ""
        if isinstance(one, Estimator) and type(one) in ALL:
            own = one.settings()
            key = key_of(one.name, own)
            for name, value in own.items():
                if name != SPREAD.get(one.name):
                    kept = with_setting(kept, one.name, name, value)
        elif isinstance(one, Estimator) and one.name not in BY_NAME:
            key = one.name
            mine.setdefault(key, Entry(key, heading(type(one)), type(one), made=one))
        if key not in roster() and key not in mine:
            raise BadInput(
                f"the room Compare has no estimator {one!r}: it takes the names of those in "
                "workbench.estimators.ALL, and objects, yours too, each under a name of its own"
            )
        if key in keys:
            raise BadInput(
                f"the room Compare shows {title(key)} once: `compare` of workbench.experiments "
                "sets its settings side by side"
            )
        keys.append(key)
    return keys, kept, mine


def with_setting(settings: Settings, estimator: str, key: str, value: Any) -> dict[str, Any]:
    """The settings with one more; only what is not usual is kept."""
    return keep_unusual(settings, estimator, key, value, build(estimator, {}).settings())


def keep_unusual(
    settings: Settings, name: str, key: str, value: Any, usual: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings by name with one more; what equals the usual ones is left out."""
    mine = {**settings.get(name, {}), key: value}
    mine = {k: v for k, v in mine.items() if usual.get(k) != v}
    rest = {k: dict(v) for k, v in settings.items() if k != name}
    return {**rest, name: mine} if mine else rest


def summary(cls: type[Any]) -> str:
    """The first line of an estimator's docstring."""
    return inspect.cleandoc(cls.__doc__ or cls.name).splitlines()[0]


def setting_doc(cls: type[Any], name: str) -> str:
    """What an estimator's docstring says of one of its settings."""
    text = inspect.cleandoc(cls.__doc__ or "")
    found = re.search(rf"^ {{4}}{name}: (.*(?:\n {{5,}}.*)*)", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def settings_of(cls: type[Any]) -> dict[str, Any]:
    """{setting: usual value} of what the interface offers; what has rows of its own is left out,
    and what is itself an object with settings."""
    usual, left = cls().settings(), {SPREAD.get(cls.name)}
    left |= {f.name for f in fields(cls) if f.metadata.get("nested")}
    return {k: v for k, v in usual.items() if k not in left and not is_dataclass(v)}
