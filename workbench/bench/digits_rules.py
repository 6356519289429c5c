"""The rules of training that digits are trained by, each with the setting that was chosen."""

from dataclasses import dataclass

from workbench.training.baselines import PGD, Noise, Plain, Sampled, SmoothAdv, Trades
from workbench.training.pointwise import Pointwise
from workbench.training.rule import Rule


@dataclass(frozen=True)
class Method:
    """A rule and the steps that take as long as those of the others.

    Args:
        title: in the table.
        rule: with the setting that was chosen.
        steps: of the training.
        tried: settings that it was chosen from, four for each: see `digits_tuning`.
    """

    title: str
    rule: Rule
    steps: int
    tried: tuple[Rule, ...] = ()


def _sampled(price: float) -> Sampled:
    return Sampled(price, moves=2, proposal="cross entropy")


def _plain(price: float) -> Sampled:
    return Sampled(price, draws=64, proposal="none")


def _ours(price: float) -> Pointwise:
    return Pointwise(price, 0.3, lines=4)


OURS = "log P"
METHODS: tuple[Method, ...] = (
    Method("standard", Plain(), 9200),
    Method("noise", Noise(1.5), 5800, tuple(Noise(t) for t in (0.5, 1.0, 1.5, 2.0))),
    Method("PGD", PGD(3.0), 3200, tuple(PGD(t) for t in (1.0, 1.5, 2.0, 3.0))),
    Method("TRADES", Trades(2.0), 2800, tuple(Trades(t) for t in (1.0, 1.5, 2.0, 3.0))),
    Method(
        "SmoothAdv", SmoothAdv(0.5, 2.0), 2100,
        tuple(SmoothAdv(t, r) for t, r in ((0.5, 1.0), (0.5, 2.0), (1.0, 1.0), (1.0, 2.0))),
    ),
    Method(
        "PGD on C", PGD(5.0, aim="catastrophe"), 2400,
        tuple(PGD(t, aim="catastrophe") for t in (2.0, 3.0, 4.0, 5.0)),
    ),
    Method(
        "sampled from D0", _plain(0.003), 560,
        tuple(_plain(p) for p in (0.0005, 0.001, 0.002, 0.003)),
    ),
    Method(
        "sampled by cross-entropy", _sampled(0.01), 850,
        tuple(_sampled(p) for p in (0.001, 0.003, 0.006, 0.01)),
    ),
    Method(
        "sampled by our search", Sampled(0.004), 700,
        tuple(Sampled(p) for p in (0.003, 0.004, 0.006, 0.01)),
    ),
    Method(
        OURS, _ours(0.03), 1000, tuple(_ours(p) for p in (0.02, 0.03, 0.05, 0.1))
    ),
)  # fmt: skip
"""Steps as many as fit into the processor time that the last one takes. Of the three importance
samplers two know nothing but draws and margins; the third has its proposal from the search for
tangents, which is part of the last rule: it differs from that by drawing where that integrates."""
LABELLED = Pointwise(1.0, 0.1, event="label")
"""The last rule for labels instead of one forbidden class."""


def find(title: str) -> Method:
    """The method of that title."""
    return next(m for m in METHODS if m.title == title)
