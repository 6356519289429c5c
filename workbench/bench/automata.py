"""Densities of cellular automata by generation, presumed and simulated, and how fast boards go."""

import statistics
import time
from collections.abc import Iterator
from itertools import islice

from workbench.automata import (
    Census,
    Elementary,
    Forecast,
    Packed,
    parse,
    persistent,
    predicted,
    presumptions,
    random_line,
    random_plane,
    settle,
    surprises,
)
from workbench.bench.base import Bench, Column, Report, Row

SIDE, WIDTH, SEEDS = 1024, 2**18, 2
TARGET = 200.0
"""Generations a second at 1024 x 1024."""
_PLANES = (("B3/S23", 0.3), ("B3/S23", 0.5), ("B36/S23", 0.3))
_LINES = ((110, 0.5), (54, 0.5), (30, 0.3))
_AT = {True: (1, 2, 5, 10, 20), False: (1, 2, 5, 10, 20, 50, 100, 300, 1000, 2000, 4000)}
_LOOKS = (100, 200, 400)
_DEAR = 100  # the last generation that 3 x 3 blocks are followed to
_KEYS = ("cell", "pair", "2x2", "3x3")


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a rule, density and generation."""
    at = _AT[quick]
    for k, (name, density) in enumerate(_PLANES[:1] if quick else _PLANES):
        report(0.3 * k, f"{name} from {density}")
        yield from _plane(name, density, at)
    for k, (number, density) in enumerate(_LINES[:1] if quick else _LINES):
        report(0.9 + 0.03 * k, f"{number} from {density}")
        yield from _line(number, density, [t for t in at if t <= 1000])


def _plane(name: str, density: float, at: tuple[int, ...]) -> Iterator[Row]:
    """Structures are found on the board of the first seed; all else is of the others."""
    rule, end = parse(name), max(at)
    assert not isinstance(rule, Elementary)
    seen: dict[int, list[float]] = {t: [] for t in at}
    lasting: list[str] = []
    forecasts: list[Forecast] = []
    speeds = []
    for seed in range(SEEDS + 1):
        board, looks = Packed.of(random_plane(SIDE, SIDE, density, seed)), []
        start, resting = time.perf_counter(), 0.0
        for t in range(1, end + 1):
            board = board.next(rule)
            if seed and t in seen:
                seen[t].append(board.density)
            if t in _LOOKS:
                pause = time.perf_counter()
                census = Census.of(board.cells)
                if not seed and t > _LOOKS[0]:
                    lasting = persistent(surprises(rule, board.cells, "pair", census))
                looks.append(settle(board.cells, census, lasting))
                resting += time.perf_counter() - pause
        speeds.append(end / (time.perf_counter() - start - resting))
        if seed and len(looks) == 3 and looks[-1].share:
            first, early, late = looks
            forecasts.append(Forecast(early, late, *_LOOKS[1:], first))
    told = {
        key: list(
            islice(predicted(rule, density, key), 1 + min(end, _DEAR if key == "3x3" else end))
        )
        for key in _KEYS
    }
    for t in at:
        given = [f.density(t) for f in forecasts] if t >= _LOOKS[-1] else []
        yield {
            "rule": name, "density": density, "generation": t,
            "seen": statistics.mean(seen[t]),
            **{key: values[t] if t < len(values) else None for key, values in told.items()},
            "given": statistics.mean(given) if given else None,
            "in_the_end": statistics.mean(f.limit for f in forecasts) if given else None,
            "per_second": statistics.median(speeds),
        }  # fmt: skip


def _line(number: int, density: float, at: list[int]) -> Iterator[Row]:
    rule, end, seen = Elementary(number), max(at), {}
    cells = random_line(WIDTH, density, 1)
    for t in range(1, end + 1):
        cells = rule(cells)
        seen[t] = float(cells.mean())
    names = presumptions(rule)
    chosen = dict(zip(_KEYS, (names[0], names[1], names[3], names[4]), strict=True))
    told = {
        key: list(islice(predicted(rule, density, name), end + 1)) for key, name in chosen.items()
    }
    for t in at:
        yield {
            "rule": str(number), "density": density, "generation": t, "seen": seen[t],
            **{key: values[t] for key, values in told.items()},
        }  # fmt: skip


def conclude(rows: list[Row]) -> Iterator[str]:
    """Speed, how long blocks hold, and what structures given repair."""
    speeds = [r["per_second"] for r in rows if r.get("per_second")]
    if speeds:
        met = "met" if min(speeds) >= TARGET else "missed"
        yield (
            f"{min(speeds):,.0f} generations a second or more at {SIDE} x {SIDE} (target "
            f"{TARGET:.0f}: {met})."
        )
    early = [r for r in rows if r.get("per_second") and 2 <= r["generation"] <= 20]
    if early:
        off = {k: max(abs(r[k] - r["seen"]) for r in early) for k in _KEYS}
        yield (
            "On planes, generations 2 to 20, worst distance: "
            + ", ".join(f"{key} {value:.4f}" for key, value in off.items()) + "."
        )  # fmt: skip
    late = [r for r in rows if r.get("given") is not None and r["generation"] > _LOOKS[-1]]
    if late:
        given = max(abs(r["given"] / r["seen"] - 1) for r in late)
        alone = min(r["cell"] / r["seen"] for r in late)
        last = [r for r in late if r["generation"] == max(r["generation"] for r in late)]
        end = max(abs(r["in_the_end"] / r["seen"] - 1) for r in last)
        yield (
            f"Later than {_LOOKS[-1]}, on boards that no structure was found on: given structures "
            f"at most {100 * given:.0f}% off, their end {100 * end:.0f}% off generation "
            f"{last[0]['generation']:,}; independent cells at least {alone:.1f} times too many."
        )
    yield "On lines the columns are segments of 1, 2, 8 and 12 cells."


AUTOMATA = Bench(
    name="automata",
    about="densities of cellular automata by generation, presumed and simulated; generations a "
    "second",
    columns=(
        Column("rule", "rule"),
        Column("density", "from", "small"),
        Column("generation", "generation", "count"),
        Column("seen", "simulated", "share"),
        Column("cell", "independent", "share"),
        Column("pair", "pairs", "share"),
        Column("2x2", "2x2", "share"),
        Column("3x3", "3x3", "share"),
        Column("given", "given structures", "share"),
    ),
    run=run,
    conclude=conclude,
    sections=("rule", "density"),
)
