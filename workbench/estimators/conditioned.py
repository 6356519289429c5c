"""Conditioned propagation: the law of total probability along lines through the dominant points."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators import (
    boundary,
    cuts,
    drawn,
    fallback,
    fitted,
    limits,
    lines,
    lookout,
    summits,
    whole_lines,
)
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.by_part import pieces_of
from workbench.estimators.drawn import Lines
from workbench.estimators.moments import Moments
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.gaussian import log_cdf_inverse
from workbench.math.logspace import LN10, log_sum
from workbench.math.nodes import normal_nodes
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind, Pace

_PILOT, _FEWEST, _BATCHES = 96, 12, 6
_FAINT = math.log(1e-3)  # of P: a summit below is left out, its failures counted by other lines
_SAVED = 0.5  # share of the lines that knowing the spread usually spares
_USUAL = 5.0  # evaluations of the margin that a line usually costs
_FAR = 3.0  # times the lines so far, from which on it pays to learn where to lay the others
_FOR_GRADIENT = 2.4  # forward passes for more lines, over those that the value took
_LEARNING = 2.7, 3.7  # the same where lines are learned, and what one costs then
_ROUNDS = 3  # of learning, for the value and once more for the gradient
_DIFFER = 4.0  # variance of a line's share, over P^2, from which fitting pays
_ENTER = 0.5  # share of lines that enter C, along a direction that leads there
_LOOKED, _LOOKS = 3, 500  # times that hidden parts of C are looked for; nets between them
_LIGHT = 0.3  # tail index of the lines' shares up to which their spread is what it seems


@dataclass(frozen=True)
class Conditioned(Estimator):
    """P = E_w[P(C | w)] over lines w + t u along each summit's direction u, exact in t.

    Propagation finds the summits: where the mean of D has to go for C to become likely (see
    `summits`). Along a line in such a direction the margin enters C at t*(w), and the law of
    total probability gives P = E_w[Phi(-t*(w))] for w in the complement: t is integrated exactly,
    and w by the nodes of a Sobol net, spread as propagation says that failures are where that is
    cheaper than more lines, and then as the earlier lines say (see `aim`). Several summits share C
    out among them, so that no failure counts twice. What propagation presumes steers where the
    lines lie and never what they say: as their number grows the answer tends to P.

    Where probes tell that lines enter C more than once or leave it again, all of every line that
    lies in C is counted instead, on a grid, at some ten times the cost (see `whole_lines`).

    Deterministic. The gradient goes through the crossings, dt* = -ds / (ds/dt), of these lines and
    of more, at up to three times the cost of the value; lines that meet the boundary of C at less
    than 9 degrees are left out of it. The differences among the lines tell
    how far to trust it (`info["spread_digits"]`), and more so where their shares are heavy-tailed
    (`info["indicator_digits"]`). Climbs from all sides look for parts of C that the lines leave out
    (see `lookout`), for lines of their own or a warning. What no gradient leads to is not seen
    beside parts of C that one does.

    Where lines tell nothing, and no gradient is asked for, scouts climb into C by splitting, and
    draws around them count it (see `fallback`): small islands, that no gradient leads to.

    Where D is not Gaussian, M not readable or C not polyhedral, the directions are those of design
    points, found by the gradient of the margin alone.

    Args:
        summits: the most that are kept.
        lines: the most that are drawn, over all summits; one by which the next are laid counts for
            1.6, as it costs.
        tolerance: relative error of P, as the lines' own spread has it, at which it stops.
        net: which scrambling of the Sobol net; another one gives another answer as good.
        search: "propagation", which sees what no gradient shows and falls back on the margin where
            it was misled; or "margin", design points by the margin's gradient from several starts,
            which stay sharp on networks whose failures training has spread out thinly.

    >>> import workbench as wb
    >>> round(Conditioned()(wb.load("A_d10_1e-12")).log10_p, 6)
    -12.0
    """

    summits: int = 6
    lines: int = 1536
    tolerance: float = 0.1
    net: int = 0
    search: str = "propagation"
    name: ClassVar[str] = "conditioned"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.IMPLICIT
    needs: ClassVar[Needs] = Needs((Reparameterised,))
    pace: ClassVar[Pace] = Pace.AT_REST
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "search": ("propagation", "margin", "fitted")
    }

    def __post_init__(self) -> None:
        if self.search not in self.choices["search"]:
            raise BadInput(
                f"conditioned: search must be propagation, margin or fitted, got {self.search!r}"
            )
        check_positive(self.name, summits=self.summits, lines=self.lines)
        if not (isinstance(self.tolerance, int | float) and self.tolerance > 0):
            raise BadInput(f"conditioned: tolerance must be above 0, got {self.tolerance!r}")
        if isinstance(self.net, bool) or not isinstance(self.net, int) or self.net < 0:
            raise BadInput(f"conditioned: net must be a whole number from 0, got {self.net!r}")

    def init(self, problem: Problem, rng: Rng) -> Lines:
        d = pieces_of(problem)[0][1].distribution
        assert isinstance(d, Reparameterised)
        none, index = torch.zeros(0, dtype=d.dtype), torch.zeros(0, dtype=torch.long)
        points = none.reshape(0, d.noise_dim)
        return Lines(
            rng=rng, theta=points, clause=index, piece=index, log_weight=none,
            centre=points[None][:0], root=points[None, None][:0], taken=points[:, :0], index=none,
            slope=none, owner=index, at=points, t=none, log_f=none, log_p=none, rise=points,
            drift=none.sum(), plain=none.sum(), propagated=self.search != "margin", tried=points,
        )  # fmt: skip

    def step(self, problem: Problem, state: Lines) -> Lines:
        pieces = pieces_of(problem)
        if not state.begun:
            return self._begin(problem, state)
        if state.searched < len(pieces):
            return self._search(pieces[state.searched], state)
        if not state.piloted:
            return self._pilot(pieces, state)
        if not state.looked:
            return self._look(pieces, state)
        if not state.shaped:
            return self._shape(pieces, state)
        if not self._enough(state):
            return self._further(pieces, state)
        if self._astray(state):
            return fallback.asked(problem, state, self.net)
        return self._follow(pieces, state)

    def _begin(self, problem: Problem, state: Lines) -> Lines:
        """Propagation alone: what is answered where the budget holds no search."""
        moments, state = Moments(), replace(state, pools=limits.pools(problem))
        try:
            moments.check(problem)
            answer = moments.step(problem, moments.init(problem, state.rng))
        except (Unsupported, NotConverged):
            return replace(state, begun=True)
        cost = forward_equivalents(answer.flops, problem.flops_per_forward)
        return replace(
            state, plain=answer.log_p, flops=answer.flops, known=True, begun=True,
            forwards=state.forwards + (cost if cost < state.left else 0),
        )  # fmt: skip

    def _search(self, piece: tuple[Tensor, Problem], state: Lines) -> Lines:
        """The summits of one piece of D; none where the budget does not hold the search."""
        log_weight, problem = piece
        search = fitted.candidates if self.search == "fitted" else summits.find
        search = search if state.propagated else summits.by_margin
        search = fitted.find if state.fitted else search
        found = search(problem, self.summits, state.left)
        one = found.height.new_ones(len(found.theta))
        d = found.theta.shape[1]
        root = one.new_zeros(len(one), 0, d, d) if found.spread is None else found.spread[:, None]
        root = torch.cat([state.root, root]) if state.searched else root
        its = torch.full((len(one),), state.searched)
        state = drawn.joined(state, found.theta, found.clause, its, log_weight * one, root)
        return replace(
            state, propagated=state.propagated and found.propagated, searched=state.searched + 1,
            forwards=state.forwards + found.forwards,
        )  # fmt: skip

    def _pilot(self, pieces: list[tuple[Tensor, Problem]], state: Lines) -> Lines:
        """A few lines a summit: which count, where each is crossed, whether the spread pays."""
        k, d = state.theta.shape
        if d == 1 and k:
            state = replace(state, whole=True)
        n = 1 if d == 1 else max(_PILOT, 2 * d) if k == 1 else max(_FEWEST, _PILOT // max(1, k))
        probes = 0.0 if state.whole else min(whole_lines.PROBES, 0.5 * state.left)
        n = int(min(n, (state.left - probes) // (cuts.price(state) * max(1, k))))
        found = [self._cut(pieces, state, i, 0, n) for i in range(k)] if n else []
        if not found:
            return replace(drawn.only(state, state.piece[:0]), piloted=True)
        mean = torch.stack([self._pilot_mean(state, i, cut) for i, cut in enumerate(found)])
        state = replace(state, forwards=state.forwards + sum(cut.evaluations for cut in found))
        if not state.whole:
            state = cuts.probed(pieces, state, found, _FEWEST)
            if state.whole:
                return state
        first, none = not state.looks, drawn.only(state, state.piece[:0])
        fit = first and self.search == "fitted" and state.usual is None
        # A direction along which few lines enter C leads past it: others would lead there.
        astray = any(float(torch.isfinite(cut.log_mass).double().mean()) < _ENTER for cut in found)
        nowhere = first and not bool(torch.isfinite(mean).any())
        if nowhere and state.propagated and not state.fitted:
            # Propagation was misled: once more, by the margin's own gradient.
            usual = math.inf if fit else state.usual
            return replace(none, searched=0, propagated=fit, fitted=fit, usual=usual)
        state = replace(
            state,
            index=-log_cdf_inverse(mean.clamp(max=0.0)),
            slope=state.slope.new_tensor([cut.slope for cut in found]),
            piloted=True,
        )
        part = state.log_weight.detach() + mean
        kept = torch.nonzero((part > part.max() + _FAINT) | ~torch.isfinite(part.max())).squeeze(1)
        state = drawn.only(state, kept)
        for k, old in enumerate(kept.tolist()):
            state = cuts.counted(state, k, found[old])
        differ = float(drawn.relative_variance(state).sum())
        if fit and (astray or differ > _DIFFER):
            return replace(none, searched=0, fitted=True, usual=math.inf if astray else differ)
        if first and state.fitted and state.usual is not None and differ > state.usual:
            return replace(none, searched=0, fitted=False)  # the fit went astray itself
        return state

    def _look(self, pieces: list[tuple[Tensor, Problem]], state: Lines) -> Lines:
        """What the lines leave out: a new pilot where something was found, else as it was."""
        room = self.summits - len(state.theta) if state.looks < _LOOKED else 0
        return lookout.look(pieces, state, room, self.net + _LOOKS * (1 + state.looks))

    def _shape(self, pieces: list[tuple[Tensor, Problem]], state: Lines) -> Lines:
        """How failures spread about the summits, where that is worth its cost."""
        state = replace(state, shaped=True)
        if not self._spread_pays(state):
            return state
        roots, spent = [], state.forwards
        for theta, clause, piece in zip(state.theta, state.clause, state.piece, strict=True):
            land = summits.Landscape(pieces[int(piece)][1])
            roots.append(summits.spread(land, theta, int(clause)))
            spent += land.forwards
        root = torch.stack(roots)[:, None]
        return replace(
            drawn.afresh(state), piloted=True, forwards=spent, root=root,
            centre=torch.zeros_like(root[..., 0]), taken=torch.zeros_like(root[..., 0, 0]),
        )  # fmt: skip

    def _pilot_mean(self, state: Lines, k: int, cut: cuts.Cut) -> Tensor:
        """log of the mean of P(C | w) over the first lines of summit k."""
        laid = replace(drawn.aim_of(state, k), taken=torch.ones_like(state.taken[k]))
        log_w = laid.log_weight(cut.across)
        return log_sum(cut.log_mass + log_w) - math.log(len(log_w))

    def _spread_pays(self, state: Lines) -> bool:
        """Whether it is cheaper than the lines that it would spare."""
        k, d = state.theta.shape
        needed = min(self.lines, float(drawn.relative_variance(state).sum()) / self.tolerance**2)
        plain = state.propagated and not state.fitted and not state.whole
        return plain and _SAVED * _USUAL * needed > k * summits.SPREAD_COST * d

    def _further(self, pieces: list[tuple[Tensor, Problem]], state: Lines) -> Lines:
        """A batch of lines, laid as the earlier ones say where many more are wanted."""
        wanted = float(drawn.relative_variance(state).sum()) / self.tolerance**2
        early = state.root.shape[1] <= _ROUNDS and _counted(state) < 0.6 * self.lines
        if early and not state.whole and len(state.t) and wanted > _FAR * len(state.t):
            state = boundary.learned(pieces, state, lines.MOST * _FEWEST)
        n = min(math.ceil(self.lines - _counted(state)), state.left // cuts.price(state))
        n = min(max(_FEWEST, math.ceil(self.lines / _BATCHES)), n)
        return self._draw(pieces, state, n, watched=True)

    def _draw(
        self, pieces: list[tuple[Tensor, Problem]], state: Lines, n: float, watched: bool
    ) -> Lines:
        """About n more lines, more of them where lines differ more."""
        error = torch.sqrt(drawn.relative_variance(state))
        share = error / error.sum() if float(error.sum()) > 0 else torch.ones_like(error)
        for k in range(len(state.theta)):
            mine = math.ceil(n * float(share[k] / share.sum()))
            if mine:
                first = int((state.owner == k).sum())
                cut = self._cut(pieces, state, k, first, mine)
                state = cuts.counted(state, k, cut)
                state = replace(state, forwards=state.forwards + cut.evaluations)
                state = cuts.watched(pieces, state, k, cut, _FEWEST) if watched else state
                if not state.piloted:  # all of every line is counted from here on
                    break
        return state

    def _follow(self, pieces: list[tuple[Tensor, Problem]], state: Lines) -> Lines:
        """The gradient, from more lines than the value: its components differ more among them."""
        if state.whole:
            drift, spent = cuts.followed(pieces, state, _FEWEST)
            return replace(state, drift=drift, followed=True, forwards=state.forwards + spent)
        rounds, n = self._for_gradient(state)
        more = state
        for _ in range(rounds if n >= _FEWEST and math.isfinite(n) else 0):
            more = boundary.learned(pieces, more, lines.MOST * _FEWEST)
            more = self._draw(pieces, more, n / rounds, watched=False)
        forwards = more.forwards + 3 * len(more.t)
        return replace(state, drift=boundary.drift(pieces, more), followed=True, forwards=forwards)

    def _for_gradient(self, state: Lines) -> tuple[int, float]:
        """In how many rounds lines are drawn for the gradient, and how many in all."""
        spare, value = state.left - 3 * len(state.t), state.forwards - state.looking - state.probing
        if not state.root.shape[1]:
            n = min(_FOR_GRADIENT * value / (_USUAL + 3), spare // (lines.MOST + 3))
            return 1, n
        known = 3 * (2 * len(state.t) - len(state.rise))
        most, crossing = _LEARNING
        spare -= 3 * (len(state.t) - len(state.rise))
        n = min((most * value - known) / (crossing + 6), spare // (lines.MOST + 6))
        return _ROUNDS, n

    @torch.no_grad()
    def _cut(
        self, pieces: list[tuple[Tensor, Problem]], state: Lines, k: int, first: int, n: int
    ) -> cuts.Cut:
        """What of lines first .. first + n - 1 of summit k lies in C."""
        unit = drawn.unit_of(state, k)
        nodes = normal_nodes(n, len(unit), self.net + 1000 * k, first, unit.dtype)
        across = drawn.aim_of(state, k).lay(unit, nodes, first)
        return cuts.cut(pieces[int(state.piece[k])][1], state, k, across)

    def _enough(self, state: Lines) -> bool:
        if not len(state.theta) or _counted(state) >= self.lines:
            return True
        if state.left < cuts.price(state) * _FEWEST:
            return True
        all_used = all(bool((state.owner == k).any()) for k in range(len(state.theta)))
        return all_used and float(drawn.variance_of_mean(state)) <= self.tolerance**2

    def _astray(self, state: Lines) -> bool:
        """Whether lines tell nothing of P, and scouts may yet: a value, that has no gradient."""
        if torch.is_grad_enabled() or state.scouted or state.left < fallback.LEAST:
            return False
        _, total = drawn.log_parts(state, state.log_weight)
        return bool(lines.doubt(total, _digits(state)))

    def finished(self, state: Lines) -> bool:
        if not state.shaped or not self._enough(state) or self._astray(state):
            return False
        return state.followed or not torch.is_grad_enabled() or state.left < 3 * len(state.t)

    def read(self, state: Lines) -> Estimate:
        cost = Cost(forwards=state.forwards, flops=0.0 if state.forwards else state.flops)
        if math.isfinite(state.log_scouted) or not len(state.t):
            log_p, info = fallback.told(state)
            return Estimate(log_p, None, self.kind, cost, info=info)
        each, total = drawn.log_parts(state, state.log_weight)
        part, lost = torch.exp(each - total).detach().nan_to_num(), lookout.lost(state)
        digits = _digits(state)
        info: dict[str, Any] = {
            "summits": [
                {"norm": float(t.norm()), "part": float(p), "lines": int((state.owner == k).sum())}
                for k, (t, p) in enumerate(zip(state.theta, part, strict=True))
            ],
            "search": "Gaussians fitted by gradients"
            if state.fitted
            else "propagation"
            if state.propagated
            else "the margin's gradient",
            "looked_from": state.starts,
            "spread_digits": digits,
            "indicator_digits": lost
            + cuts.miscounted(state)
            + digits * math.exp(max(0.0, drawn.tail_index(state) - _LIGHT)),
        }
        doubts = (
            cuts.doubt(state), lines.doubt(total, digits, lost), lookout.doubt(state),
            limits.pooled(state.pools),
        )  # fmt: skip
        if warning := next((d for d in doubts if d), ""):
            info["warning"] = warning
        log_p = torch.clamp(total, max=0.0) + state.drift
        return Estimate(log_p, None, self.kind, cost, info=info)


def _digits(state: Lines) -> float:
    """Error of log10 P by the spread of the lines."""
    return math.sqrt(float(drawn.variance_of_mean(state))) / LN10


def _counted(state: Lines) -> float:
    """Lines drawn for the value, those that taught at what they cost."""
    return len(state.t) + 3.0 / _USUAL * len(state.rise)
