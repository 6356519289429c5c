"""`workbench life`."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.frame import AsJson, Debug
from workbench.cli.options import Seed, whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.automata.look import Look

_SHOWN = 12
_AGAINST = ("cell", "pair", "2x2")


def life(
    rule: Annotated[
        str, typer.Option("--rule", metavar="RULE", help="B3/S23, or an elementary number as 110.")
    ] = "B3/S23",
    density: Annotated[
        float, typer.Option("--density", metavar="P", help="Of the random first generation.")
    ] = 0.3,
    generations: Annotated[int, whole("--generations", "T", "So many.")] = 100,
    side: Annotated[
        int, whole("--side", "N", "Cells a side of the plane, a multiple of 64; a line has 64 N.")
    ] = 512,
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="cell, pair or 2x2.")
    ] = "pair",
    seed: Seed = 0,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Densities of a cellular automaton, simulated and presumed; what stands out on its board."""
    from workbench.automata import LifeLike, parse, predicted, presumptions
    from workbench.automata.board import start
    from workbench.automata.look import look

    law = parse(rule)
    if generations < 1:
        raise BadInput(f"--generations must be at least 1, got {generations}")
    if side < 64:
        raise BadInput(f"--side must be at least 64, got {side}")
    if isinstance(law, LifeLike) and side % 64:
        raise BadInput(f"--side of a plane must be a multiple of 64, got {side}")
    if against not in _AGAINST:
        raise BadInput(f"--against is one of {', '.join(_AGAINST)}, got {against!r}")
    board = start(law, side, density, seed)
    seen, trail = [board.density], board.trail(None)
    names = presumptions(law)
    told: dict[str, list[float]] = {}
    with Bar(f"rule {law}") as bar:
        for t in range(generations):
            board = board.next()
            seen.append(board.density)
            trail = board.trail(trail)
            bar.update(0.5 * t / generations, "simulating")
        for k, name in enumerate(names):
            bar.update(0.5 + 0.4 * k / len(names), f"presuming {name}")
            told[name] = list(islice(predicted(law, density, name), generations + 1))
        bar.update(0.9, "looking")
        found = look(law, board, trail, against)
    if as_json:
        print_json(
            {"rule": str(law), "density": density, "side": side, "seed": seed,
             "simulated": seen, "presumed": told, **_record(found)}
        )  # fmt: skip
        return
    shown = [t for t in (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if t < generations]
    head = ("generation", "simulated", *names)
    rows = [
        (str(t), *(f"{v[t]:.4f}" for v in (seen, *told.values()))) for t in (*shown, generations)
    ]
    say(grid([head, *rows]), "", *_lines(found))


def _record(found: "Look") -> dict[str, Any]:
    ground, settled = found.ground, found.settled
    return {
        "structures": [
            {"pattern": f.pattern, "name": f.name, "fate": f.fate.kind, "period": f.fate.period,
             "count": f.count, "expected": f.expected, "log10_ratio": f.log10_ratio,
             "log10_err": f.log10_err}
            for f in found.structures
        ],
        "settled_share": settled.share if settled else None,
        "settled_density": settled.ash if settled and settled.share else None,
        "background": str(ground) if ground else None,
        "background_period": ground.period if ground else None,
        "background_share": found.share if ground else None,
        "gliders": [
            {"name": g.name, "period": g.period, "shift": g.shift, "count": g.count,
             "expected": g.expected, "log10_ratio": g.log10_ratio}
            for g in found.movers
        ],
    }  # fmt: skip


def _lines(found: "Look") -> list[Any]:
    if found.ground is not None:
        ground = found.ground
        head = (
            f"{100 * found.share:.0f}% of the line is the background {ground}, period "
            f"{len(ground.word)} in space and {ground.period} in time."
        )
        rows = [
            (g.name or "–", f"{g.shift:+d} in {g.period}", f"{g.count}", f"{g.expected:.2g}",
             f"{g.log10_ratio:.2f}")
            for g in found.movers[:_SHOWN]
        ]  # fmt: skip
        titles = ("glider", "moves", "seen", "expected", "log10 ratio")
        return [head, grid([titles, *rows])] if rows else [head]
    if not found.structures:
        return ["Nothing stands out against the presumption."]
    rows = [
        (f.name or f.pattern, f.fate.kind, f"{f.count}", f"{f.expected:.2g}",
         f"{f.log10_ratio:.2f} +- {f.log10_err:.2f}")
        for f in found.structures[:_SHOWN]
    ]  # fmt: skip
    return [grid([("structure", "alone it", "seen", "expected", "log10 ratio"), *rows])]
