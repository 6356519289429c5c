"""Real forward passes where tilted laws say that failures are."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.estimators import seen, weighed
from workbench.estimators.additive import Additive, Cells
from workbench.estimators.tilts import Tilts, padded
from workbench.estimators.token_mixture import normalised
from workbench.estimators.token_walk import walk
from workbench.estimators.weighed import Weighed
from workbench.math.contour import saddle
from workbench.problem import Problem
from workbench.rng import Rng

_OPEN = 0.1  # of every position, half for D and half for all its tokens alike
_PLAIN, _ALIKE = 0.1, 0.1  # of the mixture: D itself, all cells alike
_FIRST, _SEARCHED = 0.2, 0.75  # of the sequences: first draws, and all of the search
_WALKS = 50
_SCALES = 4.0, 16.0, 64.0  # of the walks, in turn, as parts of the spread
_DRAWS = 8  # the most draws, as a multiple of the sequences: those seen before are free
_DISTANT = 9.0  # nats that an impossible cell counts as below the least


@dataclass(frozen=True, kw_only=True)
class Grounded(Tilts, Weighed):
    """Tilted laws, then the sequences that were evaluated under them."""

    closed: bool = False
    """Whether the tilts are done."""
    walks: int = 0
    grounded: bool = False
    """Whether all sequences are evaluated that will be."""

    @property
    def failing(self) -> bool:
        """Whether any sequence seen fails."""
        return bool((self.s > 0).any())


@torch.no_grad()
def further(problem: Problem, state: Grounded, planned: int) -> Grounded:
    """First draws, a walk, or a batch of draws, of `planned` sequences in all.

    (1) All of them, if no more than that can occur. (2) A fifth are drawn from the tilted laws,
    mixed. (3) Walks evaluate the substitutions of one token that promise most by the main effects,
    around the likeliest failures and the best margins; what is known of the margin before is its
    true value. (4) The rest are independent draws of the mixture, by which the share that the walks
    have missed is counted without bias.
    """
    log_probs = seen.log_probs(problem)
    number = len(state.s)
    room = int(min(planned - number, state.left))
    if state.outcomes <= planned:
        x = seen.outcomes(log_probs, number, weighed.BATCH)
        state = seen.evaluate(problem, state, x, room)
        return replace(state, grounded=len(state.s) == state.outcomes or len(state.s) == number)
    generator = Rng(0).child("grounded", state.walks, state.draws).generator()
    if not number:
        state = _mixed(problem, state, log_probs)
        n = max(1, int(_FIRST * planned))
        x = state.proposal.draw(3 * n, generator)
        state = seen.evaluate(problem, state, x, min(n, room))
        spread = float(state.s.std(unbiased=False)) + 1e-9
        return replace(state, spread=spread, grounded=not len(state.s))
    most = min(int(_SEARCHED * planned) - number, max(1, planned // _WALKS), room)
    if state.frozen < 0 and state.walks < 2 * _WALKS and most > 0:
        scale = state.spread / _SCALES[state.walks % len(_SCALES)]
        margin = _additive(problem, state, log_probs)
        state = walk(problem, state, margin, log_probs, scale, most, anchored=True)
        return replace(state, walks=state.walks + 1)
    if state.frozen < 0:
        state = replace(state, frozen=number)
    state = weighed.draw(problem, state, generator, room)
    over = len(state.s) >= planned or state.left < 1 or state.draws >= _DRAWS * planned
    return replace(state, grounded=over)


def _mixed(problem: Problem, state: Grounded, log_probs: Tensor) -> Grounded:
    """The state with its proposal: two tilts a cell, D and all its tokens alike mixed in, and D
    itself. Cells weigh as the root of the mass that the tilts give them."""
    p, log_p = torch.exp(log_probs), padded(problem, state)
    alike = (p > 0).double()
    alike = alike / alike.sum(1, keepdim=True)
    b = len(state.last)
    rate = saddle(state.mean, log_p, state.effect, state.noise)
    best = torch.isneginf(state.known) | (state.log_tail > state.known)
    shifts = (
        rate[:, None, None] * state.effect,
        torch.where(best[:, None, None], state.shift, state.known_shift),
    )
    parts = []
    for shift in shifts:
        q = torch.zeros(b, *p.shape, dtype=torch.float64)
        ids = state.ids.expand(b, -1, -1)
        q[:, :-1].scatter_add_(2, ids, torch.softmax(log_p + shift, -1))
        q = (1.0 - _OPEN) * q + 0.5 * _OPEN * (p + alike)
        q[:, -1] = 0.0
        q[torch.arange(b), -1, state.last] = 1.0
        parts.append(q)
    mass = state.cells()
    least = torch.where(mass > -torch.inf, mass, torch.inf).min()
    mass = mass.nan_to_num(neginf=float(least) - _DISTANT)
    share = (1.0 - _PLAIN - _ALIKE) * torch.softmax(0.5 * mass, 0) + _ALIKE / b
    shares = torch.cat([0.5 * share, 0.5 * share, share.new_tensor([_PLAIN])])
    log_q = normalised(torch.cat([*parts, p[None]]))
    return replace(state, log_share=torch.log(shares), log_q=log_q)


def _additive(problem: Problem, state: Grounded, log_probs: Tensor) -> Additive:
    """The margin as the sum of the main effects, in every cell."""
    b, (t, v) = len(state.last), log_probs.shape
    owner = torch.zeros(v, dtype=torch.int64)
    owner[state.last] = torch.arange(b)
    effect = torch.zeros(b, t, v, dtype=torch.float64)
    real = torch.where(padded(problem, state) > -torch.inf, state.effect, 0.0)
    effect[:, :-1].scatter_add_(2, state.ids.expand(b, -1, -1), real)
    return Additive(Cells(t - 1, owner, b), state.mean, effect, torch.sqrt(state.noise))
