"""What notebooks publish, held against what is recorded of them."""

import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.experiments.notebooks import Value, contents, execute, kernel
from workbench.problem import atomic

PROFILES = ("quick", "full")
RTOL = 1e-6
"""Of deterministic values: what linear algebra may round differently on another machine."""
STANDARD_ERRORS = 4.0
"""Of sampled values. They are seeded, so on one machine they are equal; where rounding sends a
chain another way they are independent, and of such pairs one in 16,000 is further apart."""


SILENT = "it publishes no value: `publish` (workbench.experiments) says a number under a name"
UNRECORDED = "nothing is recorded of it yet: --update records what it says now"


@dataclass(frozen=True)
class Rehearsal:
    """One notebook, run.

    `standing`: `agrees`, `differs`, `failed` (a cell raised: `reason`), `recorded` anew,
    `unrecorded` (nothing is stored to hold it against), or `silent` (it publishes nothing that
    could be held against a record).
    """

    notebook: str
    standing: str
    seconds: float
    reason: str = ""
    now: Mapping[str, Value] = field(default_factory=dict)
    then: Mapping[str, Value] = field(default_factory=dict)
    pictures: tuple[tuple[str, Any], ...] = ()
    """(MIME type, data) of the figures that it drew."""
    size: int = 0
    """Bytes of the executed notebook."""

    @property
    def moved(self) -> tuple[str, ...]:
        """The names of values that are not what was recorded, or stand on one side only."""
        names = dict.fromkeys([*self.then, *self.now])
        return tuple(n for n in names if not _same(self.now.get(n), self.then.get(n)))


def rehearse(
    paths: Sequence[Path], recorded: Path | None, profile: str = "quick", update: bool = False,
    patience: int | None = None,
) -> Iterator[Rehearsal]:  # fmt: skip
    """Run notebooks one after the other, each in an empty folder, by this interpreter.

    Args:
        paths: the notebooks.
        recorded: folder of `<notebook>.json`, and `<notebook>.full.json` for the full profile;
            None where `<notebook>.recorded.json` stands beside the notebook itself.
        profile: "quick" or "full".
        update: write what they publish there, in place of comparing with it.
        patience: seconds that a cell may take; a notebook with one that takes more has failed.
    """
    if profile not in PROFILES:
        raise BadInput(f"no profile is called {profile!r}: use {' or '.join(PROFILES)}")
    for path in paths:
        record = _record(path, recorded, profile)
        with tempfile.TemporaryDirectory() as folder, kernel(Path(folder)) as name:
            began = time.monotonic()
            output = Path(folder) / path.name
            reason = execute(path, output, name, patience, profile=profile, seed=0)
            seconds = time.monotonic() - began
            now, pictures = contents(output) if output.exists() else ({}, ())
            size = output.stat().st_size if output.exists() else 0
        then = _recorded(record)
        made = Rehearsal(path.stem, "failed", seconds, reason, now, then, pictures, size)
        if not reason:
            if update and now:
                _write(record, now)
            standing = (
                "silent" if not now and not then
                else "recorded" if update and now
                else "unrecorded" if not record.exists()
                else "differs" if made.moved
                else "agrees"
            )  # fmt: skip
            why = {"silent": SILENT, "unrecorded": UNRECORDED}.get(standing, "")
            made = replace(made, standing=standing, reason=why)
        yield made


def _record(path: Path, recorded: Path | None, profile: str) -> Path:
    """Where what a notebook said is kept."""
    ending = f"{'' if profile == 'quick' else '.' + profile}.json"
    if recorded is None:
        return path.with_name(f"{path.stem}.recorded{ending}")
    return recorded / f"{path.stem}{ending}"


def _recorded(path: Path) -> dict[str, Value]:
    """What is recorded in a file, nothing where there is none.

    Raises:
        BadInput: where it holds something else.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(value, list) and len(value) == 2 for value in found.values()
    ):
        raise BadInput(
            f"{path} is no record of a notebook: restore it, or remove it and record anew by "
            "--update"
        )
    return found


def agrees(now: Value, then: Value) -> bool:
    """Whether two published values are the same answer.

    >>> agrees([-7.4, None], [-7.40001, None]), agrees([-7.0, 0.1], [-6.7, 0.1])
    (False, True)
    """
    (value, error), (value_then, error_then) = now, then
    if isinstance(value, str) or isinstance(value_then, str):  # infinities
        return value == value_then and error == error_then
    if error is None or error_then is None:
        return error == error_then and math.isclose(value, value_then, rel_tol=RTOL)
    return abs(value - value_then) <= STANDARD_ERRORS * math.hypot(error, error_then)


def _same(now: Value | None, then: Value | None) -> bool:
    return now is not None and then is not None and agrees(now, then)


def _write(path: Path, values: Mapping[str, Value]) -> None:
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items()]
    atomic.write(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
