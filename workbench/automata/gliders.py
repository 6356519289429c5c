"""What moves over the background of a line: the stretches at which it is broken.

A defect is the phase at which the background breaks off, the cells up to where it is found again,
and its phase there. How often each is seen is held against what a Markov measure of the line's own
segments expects of it with a period of background on either side; and each is run alone, between
two endless backgrounds, to see whether and where it comes back. In rule 110 these are Cook's
gliders.

Source: Cook, Universality in elementary cellular automata, Complex Systems 15 (2004) 1, figure 5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from workbench.automata.background import Background, phases
from workbench.automata.rule import Cells, Elementary
from workbench.automata.segments import Segments

PATIENCE = 96
"""Generations after which a defect that has not come back counts as restless."""
LONGEST, LEAST, MOST = 64, 3, 60
"""Cells of a defect at most; how often it must be seen; how many are given."""
KNOWN = {
    (3, 2): "A", (4, -2): "B", (7, 0): "C", (10, 2): "D", (15, -4): "E", (36, -4): "F",
    (42, -14): "G", (92, -18): "H", (12, -6): "B̄", (30, -8): "Ē",
}  # fmt: skip
"""{(generations, cells to the right) of rule 110: Cook's letter}."""


@dataclass(frozen=True)
class Defect:
    """A break of the background.

    Args:
        left: phase of the first cell that is no more background from the left.
        cells: from there to where it is found again, as text of 0 and 1.
        right: phase of the first cell of the background on the right.
        count: how often it is seen.
        expected: how often segments have it, a period of background on either side.
        log10_ratio, log10_err: log10 of count / expected, and its standard error (Poisson).
        period: generations until it comes back; 0 where it does not.
        shift: cells to the right by then.
        name: Cook's letter, or "".
    """

    left: int
    cells: str
    right: int
    count: int
    expected: float
    log10_ratio: float
    log10_err: float
    period: int
    shift: int
    name: str


def breaks(cells: Cells, ground: Background) -> tuple[list[tuple[int, str, int]], float]:
    """All breaks of a ring `(columns,)` as (left, cells, right), and the share of it that is
    background."""
    n, where = len(ground.word), phases(cells, ground)
    offset = np.where(where >= 0, (where - np.arange(len(cells))) % n, -1)
    # A stretch of background is a run of one offset; it covers n - 1 cells beyond its last.
    change = np.nonzero(np.diff(offset, prepend=-2))[0]
    ends = np.append(change[1:], len(cells)) - 1
    runs = [(int(a), int(b) + n, int(offset[a])) for a, b in zip(change, ends, strict=True)
            if offset[a] >= 0]  # fmt: skip
    found, covered = [], 0
    text = "".join(map(str, cells.astype(int)))
    for (a, b, kind), (c, _, after) in pairwise(runs):
        covered += min(b, c) - a
        if c - b <= LONGEST:
            found.append(((kind + b) % n, text[b:c], (after + max(b, c)) % n))
    return found, covered / len(cells)


def defects(
    rule: Elementary, cells: Cells, ground: Background, order: int = 2, most: int = MOST
) -> list[Defect]:
    """The over-represented defects of a ring `(columns,)`, by the nats of evidence for each.

    Args:
        order: of the segments of the presumption; 1 for independent cells.
    """
    all_, _ = breaks(cells, ground)
    kinds: dict[tuple[int, str, int], int] = {}
    for one in all_:
        kinds[one] = kinds.get(one, 0) + 1
    measure = Segments.counted(cells, order)
    made = []
    for (left, middle, right), count in kinds.items():
        if count < LEAST:
            continue
        row = between(ground, left, middle, right, len(ground.word))
        expected = len(cells) * math.exp(float(measure.log_p(row[None])[0]))
        if count > expected > 0.0:
            gain = count * math.log(count / expected) - count + expected
            made.append((gain, left, middle, right, count, expected))
    made.sort(key=lambda entry: (-entry[0], entry[1:4]))
    found = []
    for _, left, middle, right, count, expected in made[:most]:
        period, shift = fate(rule, ground, left, middle, right)
        name = KNOWN.get((period, shift), "") if rule.number == 110 else ""
        error = 1.0 / math.sqrt(count) / math.log(10)
        ratio = math.log10(count / expected)
        found.append(
            Defect(left, middle, right, count, expected, ratio, error, period, shift, name)
        )
    return found


def between(ground: Background, left: int, middle: str, right: int, margin: int) -> Cells:
    """The cells of a defect with so much background on either side."""
    n = len(ground.word)
    before = ground.word[(left - margin + np.arange(margin)) % n]
    after = ground.word[(right + np.arange(margin)) % n]
    return np.concatenate([before, np.array([c == "1" for c in middle], bool), after])


def fate(
    rule: Elementary, ground: Background, left: int, middle: str, right: int,
    patience: int = PATIENCE,
) -> tuple[int, int]:  # fmt: skip
    """(generations, cells to the right) after which a defect between two backgrounds comes back.

    A period of background on either side comes back with it; (0, 0) where it does not within
    `patience` generations.
    """
    n = len(ground.word)
    margin = 2 * patience + 2 * n  # what the ends of the row do wrong has not come so far by then
    row = between(ground, left, middle, right, margin)
    low, high = margin - n, margin + len(middle) + n
    first = row[low:high]
    for t in range(1, patience + 1):
        row = rule(row)
        near = np.lib.stride_tricks.sliding_window_view(row[low - t : high + t], high - low)
        at = np.nonzero((near == first).all(1))[0]
        if len(at):
            shifts = at - t
            return t, int(shifts[np.argmin(np.abs(shifts))])
    return 0, 0


@dataclass(frozen=True)
class Glider:
    """All forms of a defect that comes back: those of one period and one shift.

    Args:
        name: Cook's letter, or "".
        period, shift: generations, and cells to the right by then.
        forms: the defects, the most surprising first.
        count, expected: how often they are seen and expected, together.
        log10_ratio, log10_err: log10 of count / expected, and its standard error (Poisson).
    """

    name: str
    period: int
    shift: int
    forms: tuple[Defect, ...]
    count: int
    expected: float
    log10_ratio: float
    log10_err: float


def gliders(found: Sequence[Defect]) -> list[Glider]:
    """The defects that come back, by period and shift, the most frequent first."""
    alike: dict[tuple[int, int], list[Defect]] = {}
    for one in found:
        if one.period:
            alike.setdefault((one.period, one.shift), []).append(one)
    made = []
    for (period, shift), forms in alike.items():
        count, expected = sum(f.count for f in forms), sum(f.expected for f in forms)
        made.append(
            Glider(
                forms[0].name, period, shift, tuple(forms), count, expected,
                math.log10(count / expected), 1.0 / math.sqrt(count) / math.log(10),
            )
        )  # fmt: skip
    return sorted(made, key=lambda one: -one.count)
