"""A run on disk: what it is about, the state to go on from, and its metrics; never half of them.

    run.json                what runs and with which settings; the digests of the files below it
    problem.json, ...       the card and its tensors, or whatever else makes the subject again
    checkpoint.json         names the present state file, its digest, and how much of the metrics
                            belongs to it
    state-<step>-<digest>.safetensors
    metrics.jsonl           one JSON object a line

Metrics are appended first, then a new state file is written, and replacing checkpoint.json makes
both count in one step. Whatever a crash left behind beyond the checkpoint is cut off at `open`.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch

from workbench.errors import BadInput, StaleRun
from workbench.experiments.attempt import Row
from workbench.iteration import State, pack, unpack
from workbench.plain import numbers, plain
from workbench.problem import atomic

FORMAT = "workbench-run"
VERSION = 1
RUN, CHECKPOINT, METRICS, LOCK = "run.json", "checkpoint.json", "metrics.jsonl", "lock"

_LOST = "the run cannot go on from it"
_MANIFEST = {"kind": str, "every": int, "config": dict, "versions": dict, "files": dict}

S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Mark:
    """The last point that a run can go on from."""

    steps: int
    state: str
    """Name of the state file."""
    state_sha256: str
    metrics_bytes: int
    metrics_sha256: str
    seconds: float = 0.0
    """Of the run's own steps, all its processes together."""
    finished: bool = False


_MARK = get_type_hints(Mark)


class Folder:
    """One run's folder, held by one process at a time. Made by `create`, `open` or `look`.

    Attributes:
        path: where it lies.
        manifest: what run.json says: `kind`, `config`, `every`, `made`, `versions`, `files`.
        mark: the last checkpoint.
        rows: the metrics up to there.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], mark: Mark, metrics: bytes):
        self.path, self.manifest, self.mark = path, manifest, mark
        self.rows: list[Row] = _rows(path, metrics)
        self._sum = hashlib.sha256(metrics)
        self._lock: int | None = None

    @staticmethod
    def create(
        path: str | Path, kind: str, config: Mapping[str, Any], files: Mapping[str, bytes],
        state: State, *, every: int = 1, seconds: float = 0.0, rows: Sequence[Row] = (),
        finished: bool = False,
    ) -> "Folder":  # fmt: skip
        """A new folder with its first checkpoint; it appears whole or not at all.

        Args:
            path: a folder that does not exist yet, or is empty.
            kind: which `KINDS` can make the subject again.
            config: its settings, JSON-able.
            files: what else it is made of, by name.
            state: the state to begin with.
            every: steps from checkpoint to checkpoint.
            seconds: spent so far.
            rows: metrics so far.
            finished: whether no step is left.

        Raises:
            BadInput: where the path is taken.
        """
        target = Path(path)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadInput(
                f"{target} is taken: go on with a run by `workbench resume`, or choose a new folder"
            )
        atomic.make_folder(target.parent)
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            draft.chmod(0o755)
            for name, data in files.items():
                atomic.write(draft / name, data)
            atomic.write(draft / METRICS, b"")
            manifest = {
                "format": FORMAT, "version": VERSION, "kind": kind, "every": every,
                "config": plain(config), "versions": versions(),
                "files": {name: _sha(data) for name, data in files.items()},
            }  # fmt: skip
            atomic.write(draft / RUN, _sealed(manifest))
            first = Folder(draft, manifest, Mark(0, "", "", 0, _sha(b"")), b"")
            first.save(state, seconds, rows, finished)
            draft.replace(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        atomic.settle(target.parent)
        first.path = target
        first._take()
        return first

    @staticmethod
    def open(path: str | Path) -> "Folder":
        """A folder to go on with: checked in every byte, and held until `close`.

        Raises:
            BadInput: where there is no run, or another process holds it.
            StaleRun: where it was truncated, altered, or made by a newer workbench.
        """
        folder = Folder.look(path)
        folder._take()
        again = Folder.look(path)  # what counts is how it stands once it is held
        again._lock = folder._lock
        again._cut()
        return again

    @staticmethod
    def look(path: str | Path) -> "Folder":
        """A folder as it stands, to be read alone; errors as `open`, except that it may be held."""
        place = Path(path)
        manifest = _manifest(place)
        for name, digest in manifest["files"].items():
            if _sha(_read(place, name)) != digest:
                raise StaleRun(f"{place / name} was altered since the run began: it cannot go on")
        mark = _mark(place)
        metrics = _read(place, METRICS)[: mark.metrics_bytes]
        if len(metrics) < mark.metrics_bytes or _sha(metrics) != mark.metrics_sha256:
            raise StaleRun(f"{place / METRICS} was cut or altered: {_LOST}")
        return Folder(place, manifest, mark, metrics)

    @property
    def kind(self) -> str:
        """What kind of run it is."""
        return self.manifest["kind"]

    @property
    def config(self) -> dict[str, Any]:
        """The settings of what runs."""
        return numbers(self.manifest["config"])

    @property
    def every(self) -> int:
        """Steps from checkpoint to checkpoint."""
        return self.manifest["every"]

    @property
    def held(self) -> bool:
        """Whether some process is at work on it."""
        try:
            handle = os.open(self.path / LOCK, os.O_RDONLY)  # read, where it cannot be written
        except OSError:  # no process has ever held it
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def file(self, name: str) -> bytes:
        """One of the files that the run was made of."""
        return _read(self.path, name)

    def verify(self) -> bytes:
        """The bytes of the state. Raises `StaleRun` where they are not those that were saved."""
        data = _read(self.path, self.mark.state)
        if _sha(data) != self.mark.state_sha256:
            raise StaleRun(f"{self.path / self.mark.state} was cut or altered: {_LOST}")
        return data

    def state(self, cls: type[S]) -> S:
        """The state of the last checkpoint. Raises `StaleRun` where it is not whole."""
        return unpack(cls, self.verify())

    def save(
        self, state: State, seconds: float, rows: Sequence[Row] = (), finished: bool = False
    ) -> None:
        """One more checkpoint: `rows` are the metrics since the one before."""
        lines = "".join(json.dumps(plain(row), allow_nan=False) + "\n" for row in rows).encode()
        if lines:
            with (self.path / METRICS).open("r+b") as file:
                file.seek(self.mark.metrics_bytes)  # over what a save that failed left there
                file.write(lines)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
        digest = self._sum.copy()
        digest.update(lines)
        data, former = pack(state), self.mark.state
        name = f"state-{state.steps:08d}-{_sha(data)[:8]}.safetensors"
        if name != former:
            atomic.write(self.path / name, data)
        mark = Mark(
            state.steps, name, _sha(data), self.mark.metrics_bytes + len(lines),
            digest.hexdigest(), seconds, finished,
        )  # fmt: skip
        atomic.write(self.path / CHECKPOINT, _sealed(asdict(mark)))
        self.mark, self._sum = mark, digest
        self.rows.extend(rows)
        if former and former != name:
            (self.path / former).unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process have it; may be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take(self) -> None:
        handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise BadInput(f"another process is at work on {self.path}: stop it first") from None
        self._lock = handle

    def _cut(self) -> None:
        """Remove what a crash left beyond the checkpoint."""
        os.truncate(self.path / METRICS, self.mark.metrics_bytes)
        known = {RUN, CHECKPOINT, METRICS, LOCK, self.mark.state, *self.manifest["files"]}
        for entry in self.path.iterdir():
            stray = entry.name.startswith((".", "state-")) and entry.name not in known
            if stray and entry.is_file():
                entry.unlink()


MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading settings raises that are not those of a run."""


def altered(place: Path, error: Exception) -> str:
    """What is said of a run whose settings cannot be read, though its digests are right."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"what {place / RUN} says makes no run of this workbench ({what[:120]})"


def versions() -> dict[str, str]:
    """What a run depends on bit for bit."""
    from workbench import __version__

    return {"workbench": __version__, "torch": torch.__version__}


def is_run(path: Path) -> bool:
    """Whether a folder claims to be a run."""
    return (path / RUN).is_file()


def _manifest(place: Path) -> dict[str, Any]:
    if not is_run(place):
        what = "does not exist" if not place.exists() else f"holds no run: it has no {RUN}"
        inside = sorted(p.name for p in place.iterdir() if is_run(p)) if place.is_dir() else []
        if inside:
            what = f"is no run but a folder of {len(inside)}: name one of them, {inside[0]} say"
        raise BadInput(f"{place} {what}")
    raw = _json(place, RUN)
    if raw.get("format") != FORMAT:
        raise BadInput(f"{place / RUN} does not describe a run of the workbench")
    if raw.get("version") != VERSION:
        raise StaleRun(
            f"{place} is of run format {raw.get('version')!r} and this workbench reads {VERSION}: "
            "use the workbench that made it, or a newer one"
        )
    manifest = _opened(raw, place / RUN)
    if not _fits(manifest, _MANIFEST) or not manifest["every"]:
        raise StaleRun(f"{place / RUN} lacks part of what describes a run: it was altered")
    return manifest


def _mark(place: Path) -> Mark:
    raw = _opened(_json(place, CHECKPOINT), place / CHECKPOINT)
    if raw.keys() != _MARK.keys() or not _fits(raw, _MARK):
        raise StaleRun(f"{place / CHECKPOINT} has other fields than a checkpoint")
    return Mark(**raw)


def _fits(value: dict[str, Any], kinds: dict[str, type]) -> bool:
    """Whether it has these fields, of these types; numbers of things are not negative."""
    return all(
        isinstance(value.get(name), kind)
        and (kind is bool or not isinstance(value[name], bool))
        and not (kind is int and value[name] < 0)
        for name, kind in kinds.items()
    )


def _rows(place: Path, metrics: bytes) -> list[Row]:
    rows: list[Any]
    try:
        rows = [numbers(json.loads(line)) for line in metrics.splitlines()]
    except (ValueError, RecursionError):
        rows = [None]
    if not all(isinstance(row, dict) for row in rows):
        raise StaleRun(f"{place / METRICS} holds other things than metrics: it was altered")
    return rows


def _json(place: Path, name: str) -> dict[str, Any]:
    try:
        raw = json.loads(_read(place, name))
    except (ValueError, RecursionError):
        raise StaleRun(f"{place / name} is not valid JSON: it was cut or altered") from None
    if not isinstance(raw, dict):
        raise StaleRun(f"{place / name} holds no JSON object: it was altered")
    return raw


def _read(place: Path, name: str) -> bytes:
    if Path(name).name != name:
        raise StaleRun(f"{place} names a file outside itself, {name[:60]!r}: it was altered")
    if not name.isprintable():
        raise StaleRun(f"{place} names a file that no run has, {name[:60]!r}: it was altered")
    try:
        return (place / name).read_bytes()
    except OSError as error:
        raise StaleRun(
            f"{place / name} cannot be read ({error.strerror}): the run is not whole"
        ) from None


def _sealed(value: dict[str, Any]) -> bytes:
    """As JSON, with its own digest."""
    return (json.dumps({**value, "sha256": _digest(value)}, indent=1) + "\n").encode()


def _opened(value: dict[str, Any], source: Path) -> dict[str, Any]:
    """Without its digest, once that was found right."""
    rest = {k: v for k, v in value.items() if k != "sha256"}
    if value.get("sha256") != _digest(rest):
        raise StaleRun(f"{source} was altered: its digest is not that of what it says")
    return rest


def _digest(value: dict[str, Any]) -> str:
    return _sha(json.dumps(value, sort_keys=True).encode())


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
