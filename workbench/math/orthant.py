"""Gaussian orthant and union probabilities in log space, with gradients.

Events are in standard form: X ~ N(beta, R) with unit variances, "literal i holds" means X_i > 0,
so a single literal has log P = log Phi(beta_i); beta is the reliability index of the literal.

- one literal: exact;
- two literals: exact (one-dimensional log-concave quadrature);
- three or more, all at once: sequential conditioning on the Gaussian that matches the truncated
  moments (Mendell & Elston 1974), the last pair exact; an approximation without error bar;
- a union of clauses: Hunter's bound, sum P_i minus the joint probabilities along the maximum
  spanning tree (Hunter 1976, Worsley 1982): an upper bound on the union of the clauses, and exact
  for two; never below the likeliest clause.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from workbench.math.gaussian import (
    SQRT_2,
    excess,
    hazard,
    hazard_value,
    log_cdf,
    log_cdf_inverse,
    log_cdf_value,
    log_pdf,
)
from workbench.math.logspace import log_sub, log_sum
from workbench.math.quadrature import legendre
from workbench.math.slope import slope_of

_DROP = 45.0
_SURE = 9.0  # log Phi beyond is below 1e-18
_LOG_2 = math.log(2.0)
_NODES = 48
_MIN_VAR = 1e-14
_DECADES = 46.0  # e^-46 = 1e-20


def _log_cdf_near(x: Tensor) -> Tensor:
    """log Phi(x) to 1e-14 absolutely, which is all that an integrand needs, at half the cost."""
    x = torch.clamp(x, max=_SURE)
    return torch.log(torch.special.erfcx(x * (-1.0 / SQRT_2))) - (0.5 * x * x + _LOG_2)


def _bivariate(a: Tensor, b: Tensor, rho: Tensor) -> Tensor:
    """log of int_{-inf}^{a} phi(x) Phi((b - rho x) / s) dx, s = sqrt(1 - rho^2), elementwise.

    The integrand is log-concave: find its mode and where it has dropped by `_DROP` nats, by
    bisection, and put Gauss-Legendre on three panels that meet around the knee x = b / rho.
    """
    s = torch.sqrt(torch.clamp((1.0 - rho) * (1.0 + rho), min=_MIN_VAR))

    def log_f(x: Tensor) -> Tensor:
        return log_pdf(x) + _log_cdf_near((b - rho * x) / s)

    def slope(x: Tensor) -> Tensor:
        return -x - rho / s * hazard_value((b - rho * x) / s)

    reach = a.abs() + b.abs() + 10.0
    end = torch.minimum(reach, a)
    left, right = torch.minimum(-reach, end - 1.0), end
    # The peak is at least s wide: bisect until it is found to s / 8.
    finest = float(torch.log2(8.0 * reach / s).max()) if s.numel() else 0.0
    for _ in range(math.ceil(max(finest, 8.0))):
        mid = 0.5 * (left + right)
        up = slope(mid) > 0
        left, right = torch.where(up, mid, left), torch.where(up, right, mid)
    mode = torch.where(slope(end) > 0, end, 0.5 * (left + right))
    floor = log_f(mode) - _DROP
    # By bisection of the logarithm of the distance, which spans many decades where s is small.
    span = torch.log(reach + 20.0)
    far = torch.stack([span, span])  # to the left and to the right
    near = far - _DECADES
    way = span.new_tensor([-1.0, 1.0]).reshape(2, *[1] * span.ndim)
    for _ in range(11):
        mid = 0.5 * (near + far)
        dead = log_f(mode + way * torch.exp(mid)) < floor
        far, near = torch.where(dead, mid, far), torch.where(dead, near, mid)
    out_l, out_r = mode - torch.exp(far[0]), torch.minimum(mode + torch.exp(far[1]), end)

    steep = torch.clamp(rho.abs(), min=1e-3)
    knee = torch.where(rho.abs() > 1e-3, b / torch.where(rho == 0, 1.0, rho), 0.5 * (out_l + out_r))
    width = 8.0 * s / steep
    e1 = torch.minimum(torch.maximum(knee - width, out_l), out_r)
    e2 = torch.minimum(torch.maximum(knee + width, out_l), out_r)
    t, w = legendre(_NODES, a.dtype, a.device)
    edges = torch.stack([out_l, e1, e2, out_r], dim=-1)
    half = 0.5 * edges.diff(dim=-1)
    x = (edges[..., :-1] + half)[..., None] + half[..., None] * t
    values = log_pdf(x) + _log_cdf_near(
        (b[..., None, None] - rho[..., None, None] * x) / s[..., None, None]
    )
    log_w = torch.log(half)[..., None] + torch.log(w)
    return torch.logsumexp((values + log_w).flatten(-2), dim=-1)


def _opposite(rho: Tensor) -> Tensor:
    """Whether two literals are one and the same up to sign, to rounding."""
    return rho <= -1.0 + 8.0 * torch.finfo(rho.dtype).eps


def _exclusive(a: Tensor, b: Tensor) -> Tensor:
    """Whether X < a and -X < b leave no X, to rounding."""
    return a + b <= 8.0 * torch.finfo(a.dtype).eps * (a.abs() + b.abs())


class _LogBvn(torch.autograd.Function):
    @staticmethod
    def forward(a: Tensor, b: Tensor, rho: Tensor) -> Tensor:
        # Exact limits where one side always or never holds.
        never = torch.isneginf(a) | torch.isneginf(b)
        fa, fb = torch.isfinite(a), torch.isfinite(b)
        both = fa & fb
        value = _bivariate(torch.where(both, a, 0.0), torch.where(both, b, 0.0), rho)
        value = torch.where(_opposite(-rho), log_cdf_value(torch.minimum(a, b)), value)
        # log Phi(+inf) = 0, so this is the marginal of whichever side is finite.
        single = log_cdf_value(torch.where(fa, a, torch.where(fb, b, a)))
        never = never | (_opposite(rho) & _exclusive(a, b))
        return torch.where(never, -math.inf, torch.where(both, value, single))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (grad,) = grad_outputs
        a, b, rho, log_p = ctx.saved_tensors
        fa, fb = torch.isfinite(a), torch.isfinite(b)
        alive = torch.isfinite(log_p)
        both = fa & fb & alive
        x, y = torch.where(fa, a, 0.0), torch.where(fb, b, 0.0)
        lp = torch.where(alive, log_p, 0.0)
        s2 = torch.clamp((1.0 - rho) * (1.0 + rho), min=_MIN_VAR)
        s = torch.sqrt(s2)
        da = torch.exp(log_pdf(x) + torch.where(fb, log_cdf((y - rho * x) / s), 0.0) - lp)
        db = torch.exp(log_pdf(y) + torch.where(fa, log_cdf((x - rho * y) / s), 0.0) - lp)
        quad = x * x + (y - rho * x).square() / s2  # right also where s2 was lifted
        drho = torch.exp(-0.5 * quad - math.log(2.0 * math.pi) - 0.5 * torch.log(s2) - lp)
        zero = torch.zeros_like(grad)
        return (
            torch.where(fa & alive, grad * da, zero),
            torch.where(fb & alive, grad * db, zero),
            torch.where(both, grad * drho, zero),
        )


def log_bivariate_cdf(a: Tensor, b: Tensor, rho: Tensor) -> Tensor:
    """log P(X < a, Y < b) for standard normals of correlation rho, elementwise.

    Value and first derivatives to about 1e-12 relative, at any depth of the tail.

    >>> two = torch.tensor(0.0, dtype=torch.float64)
    >>> round(float(log_bivariate_cdf(two, two, torch.tensor(0.5, dtype=torch.float64)).exp()), 12)
    0.333333333333
    """
    a, b, rho = torch.broadcast_tensors(a, b, rho)
    return _LogBvn.apply(a, b, rho)  # type: ignore[return-value]


def log_orthant(beta: Tensor, corr: Tensor) -> Tensor:
    """log P(all X_i > 0), X ~ N(beta, corr): exact for one or two literals, else Mendell-Elston.

    Args:
        beta: reliability indices, `(n,)`; -inf and inf are literals that never or always hold.
        corr: correlation matrix, `(n, n)`.
    """
    if bool(torch.isneginf(beta).any()):
        return torch.full_like(beta.sum(), -math.inf)
    keep = torch.isfinite(beta)
    beta, corr = beta[keep], corr[keep][:, keep]
    if beta.numel() == 0:
        return corr.new_zeros(())
    order = torch.argsort(beta.detach())
    beta, cov = beta[order], corr[order][:, order]
    if beta.numel() > 2:
        if bool((_opposite(cov) & _exclusive(beta[:, None], beta)).any()):
            return torch.full_like(beta.sum(), -math.inf)
        # A literal that repeats a stricter one says nothing.
        kept = ~torch.triu(_opposite(-cov), 1).any(0)
        beta, cov = beta[kept], cov[kept][:, kept]
    total = beta.new_zeros(())
    while beta.numel() > 2:
        log_p, beta, cov = _condition_on_first(beta, cov)
        total = total + log_p
    if beta.numel() == 1:
        return total + log_cdf(beta[0])
    return total + log_bivariate_cdf(beta[0], beta[1], cov[0, 1])


def _condition_on_first(beta: Tensor, cov: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log Phi(beta_0), and the others re-standardised given X_0 > 0 (moments of a truncation)."""
    b, r = beta[0], cov[0, 1:]
    shrink = hazard(b) * excess(b)
    mean = beta[1:] + r * hazard(b)
    cov = cov[1:, 1:] - shrink * torch.outer(r, r)
    sd = torch.sqrt(torch.clamp(torch.diagonal(cov), min=_MIN_VAR))
    corr = torch.clamp(cov / torch.outer(sd, sd), -1.0, 1.0)
    return log_cdf(b), mean / sd, corr


def log_union(beta: Tensor, corr: Tensor, clauses: Sequence[Sequence[int]]) -> Tensor:
    """log P(some clause holds), a clause being a set of literals that must all hold.

    Hunter's bound over the clauses (see the module's head); exact for one or two clauses of one
    literal, or of two literals in one clause.

    Args:
        beta: reliability indices of the literals, `(n,)`.
        corr: their correlation matrix, `(n, n)`.
        clauses: disjunctive normal form: indices into the literals.
    """
    if all(len(c) == 1 for c in clauses):
        index = torch.tensor([c[0] for c in clauses], device=beta.device)
        return _union_of_literals(beta[index], corr[index][:, index])
    sets = [torch.tensor(sorted(set(c)), device=beta.device) for c in clauses]
    single = torch.stack([log_orthant(beta[i], corr[i][:, i]) for i in sets])
    # Clauses that rounding swallows are left out.
    alive = torch.nonzero(single.detach() > single.detach().max() - _DROP).squeeze(1).tolist()
    if len(alive) <= 1:
        return single[torch.argmax(single.detach())]
    sets, single = [sets[i] for i in alive], single[alive]
    root, edges = _spanning_tree(single.detach(), _likely_together(beta, corr, sets))
    terms = [single[root]]
    for child, parent in edges:
        both = torch.unique(torch.cat([sets[child], sets[parent]]))
        joint = log_orthant(beta[both], corr[both][:, both])
        # The approximation may put the intersection above one of its members.
        joint = torch.minimum(joint, torch.minimum(single[child], single[parent]))
        terms.append(log_sub(single[child], joint))
    return _at_most_certain(log_sum(torch.stack(terms)))


def _likely_together(beta: Tensor, corr: Tensor, sets: Sequence[Tensor]) -> Tensor:
    """About log P(both) for every pair of clauses, `(n, n)`, to choose a spanning tree by.

    Each clause is replaced by its equivalent half-space, of the same probability and the same
    sensitivity to every literal (Gollwitzer & Rackwitz 1983). Any tree gives an upper bound.
    """
    normals = torch.zeros(len(sets), beta.numel(), dtype=beta.dtype, device=beta.device)
    logs = []
    for row, index in enumerate(sets):
        with torch.enable_grad():
            at = beta.detach()[index].requires_grad_()
            log_p = log_orthant(at, corr.detach()[index][:, index])
            slope = slope_of(log_p, at)
        if slope is not None:  # there is none where all literals always hold
            normals[row, index] = slope
        logs.append(log_p.detach())
    cov = normals @ corr.detach() @ normals.T
    sd = torch.sqrt(torch.clamp(torch.diagonal(cov), min=_MIN_VAR))
    equivalent = log_cdf_inverse(torch.stack(logs))
    rho = torch.clamp(cov / torch.outer(sd, sd), -1.0, 1.0)
    return _pairwise(equivalent, rho)


def _pairwise(beta: Tensor, corr: Tensor) -> Tensor:
    """log P(X_i > 0 and X_j > 0) for every pair i != j, `(n, n)`, -inf on the diagonal."""
    n = beta.numel()
    rows, cols = torch.tril_indices(n, n, offset=-1, device=beta.device)
    weight = torch.full((n, n), -math.inf, dtype=beta.dtype, device=beta.device)
    with torch.no_grad():
        pairs = log_bivariate_cdf(beta[rows], beta[cols], corr[rows, cols])
    weight[rows, cols] = pairs
    weight[cols, rows] = pairs
    return weight


def _union_of_literals(beta: Tensor, corr: Tensor) -> Tensor:
    """The union for single literals: every term P(child and not parent) is a bivariate orthant."""
    n = beta.numel()
    alive = ~torch.isneginf(beta)
    if n == 1 or int(alive.sum()) <= 1:
        return log_cdf(beta[torch.argmax(beta.detach())])
    root, edges = _spanning_tree(log_cdf(beta.detach()), _pairwise(beta, corr))
    child = torch.tensor([c for c, _ in edges], device=beta.device)
    parent = torch.tensor([p for _, p in edges], device=beta.device)
    extra = log_bivariate_cdf(beta[child], -beta[parent], -corr[child, parent])
    return _at_most_certain(log_sum(torch.cat([log_cdf(beta[root])[None], extra])))


def _at_most_certain(log_p: Tensor) -> Tensor:
    """Hunter's sum may pass 1, and then says nothing: log P = 0, without gradient."""
    return torch.where(log_p < 0, log_p, 0.0)


def _spanning_tree(single: Tensor, weight: Tensor) -> tuple[int, list[tuple[int, int]]]:
    """Maximum spanning tree of the joint probabilities, grown from the likeliest clause (Prim).

    Returns the root and (child, parent) edges.
    """
    root = int(torch.argmax(single))
    outside = [i for i in range(single.numel()) if i != root]
    w = weight.tolist()
    best = dict.fromkeys(outside, root)
    edges = []
    while outside:
        child = max(outside, key=lambda i: w[i][best[i]])
        outside.remove(child)
        edges.append((child, best[child]))
        for i in outside:
            if w[i][child] > w[i][best[i]]:
                best[i] = child
    return root, edges
