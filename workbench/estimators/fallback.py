"""What is said where no line tells P: by draws around scouts, by propagation alone, or nothing.

Where C is small islands no gradient leads to, or which lines miss, scouts that climb by splitting
stand on them, and draws around them, weighed as those of `importance`, count them.
"""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workbench.estimators.drawn import Lines
from workbench.estimators.importance import Importance
from workbench.estimators.mixing import from_islands
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng

LEAST = 5_000
"""Forward passes below which no scouts are sent."""
_MOST, _SCOUTS, _TWICE = 12_000, 200, 2.0


@torch.no_grad()
def asked(problem: Problem, state: Lines, net: int) -> Lines:
    """The state with what `importance` says, from scouts alone, with its doubts and twice its
    standard error; the same for one `net` always. Nothing where no scout reaches C.

    Args:
        state: one that leaves `LEAST` forward passes.
    """
    sampler = Importance()
    begun = replace(sampler.init(problem, Rng(net)), limit=int(min(state.left, _MOST)))
    drawn = from_islands(problem, begun, _SCOUTS)
    while drawn.islands and not sampler.finished(drawn) and drawn.left > 0:
        drawn = sampler.step(problem, drawn)
    state = replace(state, scouted=True, forwards=state.forwards + drawn.forwards)
    if not drawn.hits:
        return state
    found = sampler.read(drawn)
    assert found.log_err is not None
    return replace(
        state, log_scouted=float(found.log_p), scouted_digits=_TWICE * found.log_err / LN10,
        scouted_doubt=found.warning,
    )  # fmt: skip


def told(state: Lines) -> tuple[Tensor, dict[str, Any]]:
    """log P and diagnostics."""
    if math.isfinite(state.log_scouted):
        info: dict[str, Any] = {
            "summits": [], "search": "scouts that climb by splitting",
            "indicator_digits": state.scouted_digits,
        }  # fmt: skip
        if state.scouted_doubt:
            info["warning"] = (
                f"no line tells P, and draws around scouts do not surely: {state.scouted_doubt}"
            )
        return state.plain.new_tensor(state.log_scouted), info
    info = {"summits": [], "search": "none"}
    if state.known:
        info["warning"] = (
            "the budget held no search for summits: this is propagation alone, and a budget of "
            "a few times as many forward passes may hold one"
            if state.propagated
            else "no line enters C in any direction that was found: this is propagation alone, "
            "and probably far too high"
        )
        return state.plain, info
    info["warning"] = (
        "no direction leads to C, or the budget held no search for one: nothing is known of P"
    )
    return state.plain.new_tensor(-math.inf), info
