"""The bench of cellular automata: small boards, closed forms, and rows made by hand."""

import pytest

from workbench.automata import Packed, parse, random_plane
from workbench.bench import automata
from workbench.bench.automata import AUTOMATA


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_boards_and_lines_are_told_beside_what_is_presumed_of_them(monkeypatch):
    """The first generation after independent cells is a sum of products of p and q."""
    monkeypatch.setattr(automata, "SIDE", 64)
    monkeypatch.setattr(automata, "WIDTH", 1 << 14)
    monkeypatch.setattr(automata, "SEEDS", 2)
    monkeypatch.setattr(automata, "_LOOKS", (6, 8, 10))
    monkeypatch.setattr(automata, "_DEAR", 2)
    monkeypatch.setattr(automata, "_PLANES", (("B3/S23", 0.3),))
    monkeypatch.setattr(automata, "_LINES", ((30, 0.3),))
    monkeypatch.setattr(automata, "_AT", {True: (1, 4, 10, 12)})
    rows = list(AUTOMATA.run(True, silent))
    planes, lines = rows[:4], rows[4:]
    assert [r["generation"] for r in planes] == [1, 4, 10, 12] == [r["generation"] for r in lines]
    p, q = 0.3, 0.7
    born = 56 * p**3 * q**6 + (28 * p**2 * q**6 + 56 * p**3 * q**5) * p
    for key in ("cell", "pair", "2x2", "3x3"):
        assert planes[0][key] == pytest.approx(born, abs=1e-9)
    assert abs(planes[0]["seen"] - born) < 0.03  # 8,192 cells: beyond 5 of their errors
    others = (Packed.of(random_plane(64, 64, p, seed)) for seed in (1, 2))  # than the first one
    ahead = [board.run(parse("B3/S23"), 4).density for board in others]
    assert planes[1]["seen"] == pytest.approx(sum(ahead) / 2.0, abs=1e-12)
    assert planes[1]["3x3"] is None and planes[1]["cell"] is not None  # too dear
    assert planes[1]["given"] is None and planes[2]["given"] is not None
    assert planes[3]["in_the_end"] == planes[2]["in_the_end"]
    assert all(r["per_second"] > 0.0 for r in planes)
    step = p * q * q + q * (1.0 - q * q)  # rule 30: the left cell, or else one of the others
    assert lines[0]["cell"] == pytest.approx(step) == pytest.approx(lines[0]["3x3"])
    assert abs(lines[0]["seen"] - step) < 0.03


def test_speed_and_worst_distances_are_told():
    def row(generation, seen, off, **more):
        told = dict.fromkeys(("cell", "pair", "2x2", "3x3"), seen + off)
        return {"generation": generation, "seen": seen, "per_second": 250.0, **told, **more}

    rows = [
        row(1, 0.3, 0.9), row(2, 0.3, 0.02), row(20, 0.2, -0.03),
        row(1000, 0.1, 0.2, given=0.11, in_the_end=0.05, per_second=199.0),
        row(4000, 0.05, 0.2, given=0.05, in_the_end=0.06),
    ]  # fmt: skip
    speed, early, late, lines = AUTOMATA.conclude(rows)
    assert speed == "199 generations a second or more at 1024 x 1024 (target 200: missed)."
    assert "worst distance: cell 0.0300, pair 0.0300" in early
    assert "given structures at most 10% off, their end 20% off generation 4,000" in late
    assert "independent cells at least 3.0 times too many" in late and "segments" in lines
    assert "(target 200: met)" in next(iter(AUTOMATA.conclude(rows[:1])))
    assert list(AUTOMATA.conclude([{"generation": 5, "seen": 0.1}])) == [lines]
