"""What is found on boards: islands, their surprise and fate, settled ground, rule 110's gliders."""

import math

import numpy as np
import pytest

import workbench as wb
from workbench.automata import (
    Blocks,
    Census,
    Elementary,
    Forecast,
    Packed,
    Segments,
    Settled,
    background,
    breaks,
    defects,
    fates,
    gliders,
    name_of,
    parse,
    persistent,
    random_line,
    random_plane,
    settle,
    surprises,
)
from workbench.automata.fate import KNOWN
from workbench.automata.gliders import between, fate
from workbench.automata.surprise import in_one_piece, log_p, relative_error
from workbench.automata.windows import draw, islands, read, standard, turned

LIFE, RULE110 = parse("B3/S23"), Elementary(110)
PERIODS = {"blinker": 2, "toad": 2, "beacon": 2, "glider": 4, "lightweight spaceship": 4}


@pytest.fixture(scope="module")
def late():
    """A board of 1024 x 1024 at generations 200 and 400: cells, census, what is surprising."""
    packed, found = Packed.of(random_plane(1024, 1024, 0.3, 0)), {}
    for t in (200, 400):
        packed = packed.run(LIFE, 200)
        cells = packed.cells
        census = Census.of(cells)
        found[t] = cells, census, surprises(LIFE, cells, "pair", census)
    return found


# Islands


def plainly(board, h, w):
    """How many islands of h x w there are, rectangle by rectangle."""
    rows, columns = board.shape
    count = 0
    for y in range(rows):
        for x in range(columns):
            frame = np.take(np.take(board, range(y - 1, y + h + 1), 0, mode="wrap"),
                            range(x - 1, x + w + 1), 1, mode="wrap")  # fmt: skip
            inside = frame[1:-1, 1:-1]
            sides = inside[0].any() and inside[-1].any() and inside[:, 0].any()
            count += bool(sides and inside[:, -1].any() and frame.sum() == inside.sum())
    return count


def test_islands_are_those_of_a_plain_search_across_the_edges_too():
    board = random_plane(19, 23, 0.12, 5)
    found = {(i.cells.shape[1], i.cells.shape[2]): len(i.rows) for i in islands(board, 4)}
    sizes = [(h, w) for h in range(1, 5) for w in range(1, 5)]
    assert found == {s: n for s in sizes if (n := plainly(board, *s))}
    for group in islands(board, 4):
        _, h, w = group.cells.shape
        y, x = group.rows[0], group.columns[0]
        part = np.roll(board, (-y, -x), (0, 1))[:h, :w]
        assert (part == group.cells[0]).all()


def test_symmetric_images_are_one_pattern():
    glider = read(".o./..o/ooo")
    assert len(turned(glider)) == 8 and len(turned(read("oo/oo"))) == 1
    assert len({draw(standard(image)) for image in turned(glider)}) == 1
    with pytest.raises(wb.BadInput, match=r"rows of \. and o"):
        read("oo/o")
    assert in_one_piece(glider) and not in_one_piece(read("o.oo/..oo"))


def test_islands_out_of_bounds_are_refused():
    with pytest.raises(wb.BadInput, match="1 to 7 cells"):
        list(islands(np.zeros((32, 32), bool), 8))
    with pytest.raises(wb.BadInput, match="need a plane of 9"):
        list(islands(np.zeros((8, 8), bool)))


# Fate


def test_what_has_a_name_does_what_it_is_known_for():
    for name, found in zip(KNOWN, fates(LIFE, [read(t) for t in KNOWN.values()]), strict=True):
        assert found.persists and found.period == PERIODS.get(name, 1), name
        assert any(found.shift) == (name in ("glider", "lightweight spaceship")), name
        for phase in found.phases:
            assert name_of(read(phase)) == name
    assert name_of(read("o.o")) == ""


def test_a_glider_flies_diagonally_and_others_die_or_go_on():
    glider, pair, pentomino = (read(t) for t in (".o./..o/ooo", "oo", ".oo/oo./.o."))
    flies, dies, goes_on = fates(LIFE, [glider, pair, pentomino])
    assert (flies.kind, flies.period, flies.shift, flies.population) == (
        "spaceship", 4, (1, 1), 5.0,
    )  # fmt: skip
    assert len(flies.phases) == 2  # glide reflection: two of the four are images of the others
    assert (dies.kind, dies.period) == ("dies", 1)
    assert goes_on.kind == "restless" and not goes_on.persists
    assert fates(parse("B0/S8"), [glider])[0].kind == "restless"
    assert fates(LIFE, []) == []


# Surprise


def test_the_chance_of_a_rectangle_is_the_markov_extension_of_the_blocks():
    """Over all 2^12 rectangles of 3 x 4 it sums to one, and so does each 2 x 2 of them."""
    blocks = Blocks.independent(0.3, 2).image(LIFE)
    every = (np.arange(2**12)[:, None] >> np.arange(12) & 1).astype(bool).reshape(-1, 3, 4)
    chance = np.exp(log_p(blocks, every))
    assert chance.sum() == pytest.approx(1.0, abs=1e-12)
    for y, x in ((0, 0), (1, 1), (1, 2)):
        corner = every[:, y : y + 2, x : x + 2].reshape(-1, 4) @ [8, 4, 2, 1]
        table = np.bincount(corner, weights=chance, minlength=16)
        assert table == pytest.approx(blocks.table.ravel(), abs=1e-12)


def test_nothing_is_found_where_cells_are_independent():
    """Five boards; each finds anything with probability 0.001 at most: 0.5% for all of them."""
    for seed in range(5):
        board = random_plane(128, 128, 0.1, seed)
        assert surprises(LIFE, board, "cell") == []


def test_errors_of_counts_follow_the_tiles():
    assert relative_error(np.full(16, 9)) == pytest.approx(1 / 12)  # of 144, as Poisson's
    uneven = np.zeros(16, int)
    uneven[0] = 144
    assert relative_error(uneven) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("presumption", ["cell", "pair", "2x2"])
def test_the_structures_of_life_are_found_and_named(late, presumption):
    cells, census, _ = late[400]
    found = surprises(LIFE, cells, presumption, census)
    named = {f.name: f for f in found}
    assert {"block", "blinker", "beehive", "loaf", "boat", "glider"} <= set(named)
    assert {f.name for f in found[:4]} <= {"block", "blinker", "beehive", "loaf", "boat"}
    block = named["block"]
    assert block.log10_ratio == pytest.approx(math.log10(block.count / block.expected))
    assert 0 < block.log10_err < 0.05 < block.log10_ratio
    assert named["glider"].fate.kind == "spaceship"
    assert [f.evidence for f in found] == sorted((f.evidence for f in found), reverse=True)


def test_three_by_three_presumptions_of_islands_are_refused():
    with pytest.raises(wb.BadInput, match="not 3x3"):
        surprises(LIFE, random_plane(64, 64, 0.3), "3x3")


def test_another_life_like_rule_has_its_own():
    packed = Packed.of(random_plane(512, 512, 0.3, 1)).run(parse("B36/S23"), 600)
    found = surprises(parse("B36/S23"), packed.cells)
    assert {"block", "blinker"} <= {f.name for f in found}


# Settled ground


def test_settled_ground_is_what_no_loose_cell_is_near():
    board = np.zeros((64, 64), bool)
    board[10:12, 10:12] = True
    board[0, 40] = True  # loose, at the edge: near cells wrap around
    census = Census.of(board)
    parted = settle(board, census, ["oo/oo"])
    assert parted.share == pytest.approx(1 - 49 / 64**2)
    assert parted.ash == pytest.approx(4 / (64**2 - 49))
    assert parted.restless == pytest.approx(1 / 49)
    assert (1 - parted.share) * parted.restless + parted.share * parted.ash == board.mean()
    nothing = settle(np.ones((64, 64), bool), Census.of(np.ones((64, 64), bool)), [])
    assert nothing.share == 0.0 and math.isnan(nothing.ash)


def test_a_forecast_from_what_was_found_beats_mean_field_and_staying_the_same(late):
    """On another board than the structures were found on, at generations that it never saw."""
    structures = persistent(late[400][2])
    packed, parts, seen = Packed.of(random_plane(1024, 1024, 0.3, 1)), {}, {}
    for t in range(1, 3001):
        packed = packed.next(LIFE)
        if t in (200, 400):
            cells = packed.cells
            parts[t] = settle(cells, Census.of(cells), structures)
        seen[t] = packed.density
    forecast = Forecast(parts[200], parts[400], 200, 400)
    for t in (1000, 3000):
        off = abs(forecast.density(t) - seen[t])
        assert off < 0.012 and off < 0.5 * abs(seen[400] - seen[t])  # of a density of 0.03 to 0.045
    assert forecast.limit == pytest.approx(seen[3000], rel=0.12)


def test_forecasts_ask_for_settled_ground_and_time_in_order():
    some, none = Settled(0.1, 0.5, 0.03, 0.001, 0.2), Settled(0.1, 0.0, math.nan, math.inf, 0.1)
    with pytest.raises(wb.BadInput, match="in order"):
        Forecast(some, some, 10, 10)
    with pytest.raises(wb.NotConverged, match="has settled"):
        Forecast(none, none, 10, 20)
    forecast = Forecast(some, some, 10, 20)
    assert forecast.rate == 0.0 and forecast.density(40) == pytest.approx(0.115)
    # Restless shares 0.8, 0.4 and 0.1: each fall of its log twice the one before.
    shares = [Settled(0.1, s, 0.03, 0.001, 0.2) for s in (0.2, 0.6, 0.9)]
    third = Forecast(shares[1], shares[2], 20, 40, shares[0])
    assert third.growth == pytest.approx(2.0) and third.density(40) == pytest.approx(0.047)
    assert third.density(80) == pytest.approx(0.03 + 0.17 * 0.1 / 16)
    assert Forecast(shares[1], shares[2], 20, 40).growth == 1.0
    with pytest.raises(wb.BadInput, match="does not tell of 5"):
        forecast.density(5)


# The line


@pytest.fixture(scope="module")
def trail():
    """The last 25 of 500 generations of rule 110, 2^16 cells."""
    cells, rows = random_line(2**16, 0.5, 0), []
    for t in range(500):
        if t >= 475:
            rows.append(cells)
        cells = RULE110(cells)
    return np.array(rows)


def test_the_known_background_of_rule_110_is_found(trail):
    ground = background(trail)
    assert str(ground) == "00010011011111" and ground.period == 7
    assert ground.density == 8 / 14 and ground.log10_ratio > 5
    ring = np.tile(ground.word, 3)
    for _ in range(7):
        ring = RULE110(ring)
    assert (ring == np.tile(ground.word, 3)).all()


def test_no_background_is_found_in_noise():
    with pytest.raises(wb.NotConverged, match="no background"):
        background(np.stack([random_line(4096, 0.5, k) for k in range(30)]))
    with pytest.raises(wb.BadInput, match="at least 25 generations"):
        background(np.zeros((5, 100), bool))


def test_gliders_of_rule_110_are_found_and_move_as_cook_says(trail):
    ground = background(trail)
    found = gliders(defects(RULE110, trail[0], ground))
    speeds = {g.name: (g.period, g.shift) for g in found}
    assert speeds["A"] == (3, 2) and speeds["B"] == (4, -2) and speeds["C"] == (7, 0)
    assert all(g.log10_ratio > 3 for g in found)


def test_a_glider_alone_is_where_its_fate_says(trail):
    ground = background(trail)
    one = next(d for d in defects(RULE110, trail[0], ground) if d.name == "A")
    row = between(ground, one.left, one.cells, one.right, 60)
    for _ in range(one.period):
        row = RULE110(row)
    start = between(ground, one.left, one.cells, one.right, 60)
    middle = slice(40, len(row) - 40)
    assert (np.roll(row, -one.shift)[middle] == start[middle]).all()
    assert fate(RULE110, ground, one.left, one.cells, one.right, patience=1) == (0, 0)


def test_an_unbroken_background_has_no_defects(trail):
    ground = background(trail)
    found, share = breaks(np.tile(ground.word, 40), ground)
    assert found == [] and share <= 1.0
    dented = np.tile(ground.word, 40)
    dented[200] ^= True
    found, share = breaks(dented, ground)
    assert len(found) == 1


def test_given_the_background_the_density_of_rule_110_is_known_at_last(trail):
    """Where mean field says 0.618, and segments of two cells 0.5."""
    ground, seen = background(trail), trail.mean()
    share = breaks(trail[0], ground)[1]
    two = Segments.independent(0.5, 2)
    for _ in range(500):
        two = two.image(RULE110)
    assert share > 0.8
    assert abs(ground.density - seen) < 0.003 < 0.02 < abs(two.density - seen)
