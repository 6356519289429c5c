"""The background of a line: the periodic pattern that an elementary automaton settles into.

It is found from agreements alone. Two stretches of `STRETCH` cells, one of them shifted by s cells
and t generations, agree by chance with probability (p^2 + q^2)^STRETCH if cells are independent;
over a background they always do. The least shifts at which agreement is as frequent as anywhere are
its periods; the commonest word of a period is what it looks like. For rule 110 this finds the known
one, period 14 in space and 7 in time: 00010011011111.

Source: Cook, Universality in elementary cellular automata, Complex Systems 15 (2004) 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from workbench.automata.rule import Cells
from workbench.errors import BadInput, NotConverged

STRETCH = 28
"""Cells of a stretch that must agree."""
FARTHEST, LATEST = 24, 24
"""The largest periods that are looked for, in cells and in generations."""
_ALIKE = 0.8  # of the most frequent agreement: multiples of a period agree a little less often
_LEAST = 0.05  # of all stretches must agree: less is chance, or a rare visitor


@dataclass(frozen=True)
class Background:
    """A periodic pattern.

    Args:
        word: `(n,)` booleans, one period in space; the least of its rotations.
        period: generations after which it is itself again at the same place.
        share: of all stretches agree with themselves a period in space farther on.
        log10_ratio: log10 of that over what independent cells would do.
    """

    word: np.ndarray
    period: int
    share: float
    log10_ratio: float

    @property
    def density(self) -> float:
        """Its share of live cells."""
        return float(self.word.mean())

    def __str__(self) -> str:
        return "".join(map(str, self.word.astype(int)))


def agreement(a: Cells, b: Cells, stretch: int = STRETCH) -> float:
    """The share of stretches of two rings `(..., columns)` that agree in every cell."""
    return float(run_of(a == b, stretch).mean())


def run_of(cells: Cells, length: int) -> Cells:
    """Where so many cells of a ring `(..., columns)` from here on are all true."""
    whole = np.concatenate([cells, cells[..., : length - 1]], -1)
    sums = np.cumsum(whole, -1, dtype=np.int32)
    sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], -1)
    return sums[..., length:] - sums[..., :-length] == length


def background(trail: Cells) -> Background:
    """The background of the last generations of a line.

    Args:
        trail: `(t, columns)`, at least `LATEST` + 1 generations, with wrap-around edges.

    Raises:
        BadInput: for too few generations or cells.
        NotConverged: where there is none, or cells still look independent.
    """
    if trail.ndim != 2 or len(trail) <= LATEST or trail.shape[1] < 2 * STRETCH:
        raise BadInput(
            f"a background is found in at least {LATEST + 1} generations of {2 * STRETCH} cells, "
            f"got cells of shape {trail.shape}"
        )
    now = trail[0]
    across = {s: agreement(now, np.roll(now, -s)) for s in range(1, FARTHEST + 1)}
    n, share = _least(across)
    after = {t: agreement(now, trail[t]) for t in range(1, LATEST + 1)}
    period, _ = _least(after)
    p = float(now.mean())
    chance = STRETCH * math.log10(p * p + (1 - p) * (1 - p))
    words = _words(now, n)[run_of(now == np.roll(now, -n), STRETCH)]
    least = np.min([_rotated(words, k, n) for k in range(n)], axis=0)
    values, counts = np.unique(least, return_counts=True)
    code = int(values[np.argmax(counts)])
    word = np.array([bool(code >> (n - 1 - k) & 1) for k in range(n)])
    return Background(word, period, share, math.log10(share) - chance)


def _least(share: dict[int, float]) -> tuple[int, float]:
    most = max(share.values())
    if most < _LEAST:
        raise NotConverged(
            f"no background: at most {100 * most:.2g}% of all stretches of {STRETCH} cells agree "
            f"with any shift up to {max(share)}; run the line for longer"
        )
    return next((k, v) for k, v in sorted(share.items()) if v >= _ALIKE * most)


def _words(cells: Cells, n: int) -> np.ndarray:
    """`(columns,)`: the n cells from each on, as a number, the first the highest bit."""
    code = np.zeros(cells.shape, np.int64)
    for k in range(n):
        code = 2 * code + np.roll(cells, -k, -1)
    return code


def _rotated(code: np.ndarray, k: int, n: int) -> np.ndarray:
    return (code << k | code >> (n - k)) & ((1 << n) - 1)


def phases(cells: Cells, ground: Background) -> np.ndarray:
    """`(columns,)`: where in the word a cell stands, if it and the n - 1 after it are background.

    -1 where they are not.
    """
    n = len(ground.word)
    value = int("".join(map(str, ground.word.astype(int))), 2)
    known = {int(_rotated(np.array(value), k, n)): k for k in range(n)}
    code = _words(cells, n)
    found = np.full(cells.shape, -1)
    for word, phase in known.items():
        found[code == word] = phase
    return found
