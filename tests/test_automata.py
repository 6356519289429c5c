"""Rules, packed planes and predicted densities, against enumeration."""

from itertools import islice, product

import numpy as np
import pytest

import workbench as wb
from workbench.automata import (
    CLOSURES,
    Blocks,
    Elementary,
    LifeLike,
    Packed,
    Segments,
    mean_field,
    parse,
    predicted,
    presumptions,
    random_line,
    random_plane,
)
from workbench.automata.blocks import forget, paired, symmetric

LIFE = parse("B3/S23")
RULES = ["B3/S23", "B36/S23", "B2/S", "B1357/S1357", "B0/S8", "B/S", "B012345678/S012345678"]


def plainly(rule, cells):
    """The next generation, cell by cell."""
    rows, columns = cells.shape
    found = np.zeros_like(cells)
    for y, x in product(range(rows), range(columns)):
        near = [(y + a) % rows for a in (-1, 0, 1)], [(x + b) % columns for b in (-1, 0, 1)]
        count = cells[np.ix_(*near)].sum() - cells[y, x]
        found[y, x] = count in (rule.survives if cells[y, x] else rule.born)
    return found


# Rules


@pytest.mark.parametrize("text", RULES)
def test_a_generation_is_the_plain_one_packed_or_not(text):
    rule, cells = parse(text), random_plane(7, 64, 0.4, 1)
    assert str(rule) == text
    want = plainly(rule, cells)
    assert (rule(cells) == want).all()
    assert (Packed.of(cells).next(rule).cells == want).all()
    assert (rule(np.stack([cells, want]))[0] == want).all()


def test_a_packed_plane_runs_as_the_plain_one_does():
    cells = random_plane(128, 192, 0.3, 2)
    packed = Packed.of(cells)
    assert (packed.cells == cells).all() and packed.density == cells.mean()
    for _ in range(20):
        cells = LIFE(cells)
    assert (packed.run(LIFE, 20).cells == cells).all()


def test_an_elementary_rule_is_its_table():
    for number in (0, 30, 90, 110, 184, 255):
        rule = parse(str(number))
        for cells in product((0, 1), repeat=3):
            middle = rule(np.array(cells, bool))[1]
            assert middle == bool(number >> (4 * cells[0] + 2 * cells[1] + cells[2]) & 1)


@pytest.mark.parametrize(
    "text", ["", "B9/S23", "B3S23", "23/3", "life", "256", "-1", "B3/S2x", "1.5"]
)
def test_what_is_no_rule_is_refused_in_a_sentence(text):
    with pytest.raises(wb.BadInput, match=r"B<counts>/S<counts>|from 0 to 255"):
        parse(text)


def test_bad_boards_are_refused():
    with pytest.raises(wb.BadInput, match="multiple of 64"):
        Packed.of(np.zeros((8, 60), bool))
    with pytest.raises(wb.BadInput, match="between 0 and 1"):
        random_plane(8, 64, 1.5)
    with pytest.raises(wb.BadInput, match="at least 3 cells"):
        random_line(2, 0.5)
    with pytest.raises(wb.BadInput, match="1 to 16 cells"):
        Segments.independent(0.5, 17)


def test_segments_that_a_measure_excludes_have_no_chance():
    """Without a warning of numpy's."""
    nothing = Segments.counted(np.zeros(64, bool), 2)
    rows = np.array([[False] * 5, [False, False, True, False, False]])
    assert nothing.log_p(rows).tolist() == [0.0, -np.inf]


def test_first_generations_are_seeded():
    assert (random_plane(64, 64, 0.3, 7) == random_plane(64, 64, 0.3, wb.Rng(7))).all()
    assert (random_plane(64, 64, 0.3, 7) != random_plane(64, 64, 0.3, 8)).any()


# Densities


@pytest.mark.parametrize("text", [*RULES, "30", "110", "184"])
@pytest.mark.parametrize("p", [0.0, 0.13, 0.5, 1.0])
def test_mean_field_sums_over_all_neighbourhoods(text, p):
    rule = parse(text)
    size = (3, 3) if isinstance(rule, LifeLike) else (3,)
    total = 0.0
    for bits in product((0, 1), repeat=int(np.prod(size))):
        cells = np.array(bits, bool).reshape(size)
        total += p ** sum(bits) * (1 - p) ** (len(bits) - sum(bits)) * rule(cells)[(1,) * len(size)]
    assert mean_field(rule, p) == pytest.approx(total, abs=1e-12)


def all_blocks(side):
    """`(2^(side^2), side, side)`: all of them, cells row by row, the first the highest bit."""
    codes = np.arange(2 ** (side * side))[:, None] >> np.arange(side * side - 1, -1, -1)
    return (codes & 1).astype(bool).reshape(-1, side, side)


def chances(cells, p):
    live = cells.sum((1, 2))
    return p**live * (1 - p) ** (cells.shape[1] * cells.shape[2] - live)


@pytest.mark.parametrize("text", ["B3/S23", "B36/S23", "B2/S0"])
def test_the_first_image_of_two_by_two_blocks_is_exact(text):
    rule, p = parse(text), 0.37
    cells = all_blocks(4)
    inside = rule(cells)[:, 1:3, 1:3].reshape(-1, 4)
    want = np.bincount(inside @ [8, 4, 2, 1], weights=chances(cells, p), minlength=16)
    got = Blocks.independent(p, 2).image(rule).table.ravel()
    assert got == pytest.approx(want, abs=1e-12)


def test_the_first_image_of_three_by_three_blocks_is_exact():
    """Two rows of it, by all 2^20 boards of 4 x 5, and two columns alike."""
    p = 0.3
    cells = (np.arange(2**20)[:, None] >> np.arange(20) & 1).astype(bool).reshape(-1, 4, 5)
    inside = LIFE(cells)[:, 1:3, 1:4].reshape(-1, 6)
    want = np.bincount(inside @ [32, 16, 8, 4, 2, 1], weights=chances(cells, p), minlength=64)
    image = Blocks.independent(p, 3).image(LIFE)
    for two in ((0, 1, 2, 3, 4, 5), (3, 4, 5, 6, 7, 8)):
        assert image.marginal(two).ravel() == pytest.approx(want, abs=1e-12)
    beside = image.table.transpose(0, 3, 6, 1, 4, 7, 2, 5, 8)
    assert beside == pytest.approx(image.table, abs=1e-15)


def test_the_second_generation_of_three_by_three_blocks_follows_from_whole_neighbourhoods():
    """So the density is exact for two generations: two boards of 4096 x 4096 agree, to 5 standard
    errors of 0.00012 (a false alarm in two million)."""
    image = Blocks.independent(0.3, 3).image(LIFE)
    later = image.table.ravel() @ LIFE(all_blocks(3))[:, 1, 1]
    assert list(islice(predicted(LIFE, 0.3, "3x3"), 3))[2] == pytest.approx(later, abs=1e-12)
    boards = [Packed.of(random_plane(4096, 4096, 0.3, s)).run(LIFE, 2) for s in (0, 1)]
    seen = np.mean([b.density for b in boards])
    assert abs(seen - later) < 5 * 0.00012


@pytest.mark.parametrize("name", CLOSURES)
def test_every_presumption_has_the_exact_first_generation(name):
    _, first = islice(predicted(LIFE, 0.3, name), 2)
    assert first == pytest.approx(mean_field(LIFE, 0.3), abs=1e-12)


def test_single_cells_are_the_mean_field_for_ever():
    p = 0.3
    for density in islice(predicted(LIFE, 0.3, "cell"), 12):
        assert density == pytest.approx(p, abs=1e-12)
        p = mean_field(LIFE, p)


def test_larger_blocks_foretell_the_first_generations_better():
    """Two boards of 1024 x 1024: the standard error of a density is below 0.0007."""
    boards = [Packed.of(random_plane(1024, 1024, 0.3, seed)) for seed in (0, 1)]
    seen = []
    for _ in range(9):
        seen.append(np.mean([b.density for b in boards]))
        boards = [b.next(LIFE) for b in boards]
    off = {
        name: np.abs(np.array(list(islice(predicted(LIFE, 0.3, name), 9))) - seen)[2:].mean()
        for name in CLOSURES
    }
    assert off["3x3"] < 0.003 < 10 * off["3x3"] < off["2x2"] < off["pair"] < off["cell"]


def test_pairs_keep_pairs_and_forget_what_is_more():
    full = Blocks.independent(0.3, 2).image(LIFE)
    fitted = paired(full)
    assert fitted.marginal((0, 1)) == pytest.approx(full.marginal((0, 1)), abs=1e-12)
    assert fitted.marginal((0, 2)) == pytest.approx(full.marginal((0, 1)), abs=1e-12)
    assert np.abs(fitted.table - full.table).max() > 1e-3
    alone = forget("cell")(full)
    assert paired(alone).table == pytest.approx(alone.table, abs=1e-12)


def test_blocks_counted_on_a_board_are_its_blocks():
    board = random_plane(64, 64, 0.3, 3)
    counted = Blocks.counted(board, 2)
    assert counted.density == pytest.approx(board.mean(), abs=1e-12)
    both = (board & np.roll(board, 1, 0)).mean() + (board & np.roll(board, 1, 1)).mean()
    assert counted.marginal((0, 1))[1, 1] == pytest.approx(both / 2, abs=1e-12)
    assert symmetric(counted).table == pytest.approx(counted.table, abs=1e-15)


@pytest.mark.parametrize("number", [30, 54, 110, 184])
@pytest.mark.parametrize("order", [1, 3, 6])
def test_segments_are_exact_as_long_as_they_reach(number, order):
    rule, p, generations = Elementary(number), 0.4, (order + 1) // 2
    width = 2 * generations + 1
    cells = (np.arange(2**width)[:, None] >> np.arange(width) & 1).astype(bool)
    chance = p ** cells.sum(1) * (1 - p) ** (width - cells.sum(1))
    segments = Segments.independent(p, order)
    for _ in range(generations):
        cells, segments = rule(cells), segments.image(rule)
        assert segments.density == pytest.approx(chance @ cells[:, generations], abs=1e-12)


def test_the_chance_of_a_segment_is_the_markov_chains():
    segments = Segments.counted(random_line(5000, 0.3, 1), 3)
    long = segments.longer(6)
    every = (np.arange(64)[:, None] >> np.arange(5, -1, -1) & 1).astype(bool)
    assert np.exp(segments.log_p(every)) == pytest.approx(long.table, abs=1e-12)
    assert long.table.reshape(8, -1).sum(1) == pytest.approx(segments.table, abs=1e-4)
    assert long.table.sum() == pytest.approx(1.0)


def test_names_of_presumptions_are_a_rules_own():
    assert presumptions(LIFE) == CLOSURES and "12 cells" in presumptions(parse("110"))
    with pytest.raises(wb.BadInput, match="has the presumptions"):
        next(predicted(LIFE, 0.3, "4x4"))
    with pytest.raises(wb.BadInput, match="between 0 and 1"):
        next(predicted(LIFE, 1.3, "2x2"))


def test_an_extinct_rule_stays_extinct():
    for name in CLOSURES:
        assert list(islice(predicted(parse("B/S"), 0.3, name), 4))[1:] == pytest.approx([0, 0, 0])
