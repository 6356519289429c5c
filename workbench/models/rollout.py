"""A controller and the known dynamics that it acts on, as one network."""

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.mlp import dense
from workbench.models.network import Network, Sum


def rollout(
    policy: nn.Module, dynamics: tuple[Tensor, Tensor, Tensor], roots: tuple[Tensor, Tensor],
    steps: int,
) -> Network:  # fmt: skip
    """T steps of s' = A s + B u + G w with u = policy(s), unrolled.

    The same policy stands at every step, so that its weights are shared and a gradient in them is
    the sum over steps. What is around it is linear and never trained. Built of operations that
    propagators read: the whole is a graph where the policy is.

    Args:
        policy: from states `(batch, m)` to actions `(batch, k)`.
        dynamics: A `(m, m)`, B `(m, k)` and G `(m, r)`.
        roots: U `(m, m)` and V `(k, k)`, roots of the stage cost |U s'|^2 + |V u|^2.
        steps: T.

    Returns:
        The network from x = [s_0; w_1; ...; w_T], `(batch, m + T r)`, to
        y = [U s_1; V u_1; ...; U s_T; V u_T], `(batch, T (m + k))`, so that |y|^2 is the cost.

    >>> import torch
    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> halve = dense(-0.5 * one)
    >>> m = rollout(halve, (one, one, one), (one, one), 2)
    >>> m(torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)).tolist()
    [[0.5, -0.5, 0.25, -0.25]]
    """
    a, b, g = dynamics
    state, action = roots
    m, k, r = len(a), b.shape[1], g.shape[1]
    shapes = (tuple(a.shape), len(b), len(g), tuple(state.shape), tuple(action.shape))
    if shapes != ((m, m), m, m, (m, m), (k, k)) or steps < 1:
        raise BadInput(
            "a rollout needs A (m, m), B (m, k), G (m, r), roots (m, m) and (k, k) and a step or "
            f"more, got {[tuple(t.shape) for t in (*dynamics, *roots)]} and {steps}"
        )
    told = m + steps * r  # s, w_1, ..., w_T, then y as far as it is known
    n = told + steps * (m + k)
    parts: list[nn.Module] = [_fixed(torch.eye(n, told, dtype=a.dtype))]
    inputs: list[tuple[int, ...]] = [(0,)]
    for t in range(steps):
        now, out = 1 + 5 * t, told + t * (m + k)
        onwards, acts = torch.eye(n, dtype=a.dtype), torch.zeros(n, k, dtype=a.dtype)
        noise = slice(m + t * r, m + (t + 1) * r)
        onwards[:m, :m], onwards[:m, noise], acts[:m] = a, g, b
        onwards[out : out + m] = state @ onwards[:m]
        acts[out : out + m], acts[out + m : out + m + k] = state @ b, action
        parts += [_fixed(torch.eye(m, n, dtype=a.dtype)), policy, _fixed(acts), _fixed(onwards)]
        inputs += [(now,), (now + 1,), (now + 2,), (now,)]
        parts.append(Sum())
        inputs.append((now + 3, now + 4))
    read = torch.eye(n, dtype=a.dtype)[told:]
    return Network([*parts, _fixed(read)], [*inputs, (1 + 5 * steps,)])


def _fixed(matrix: Tensor) -> nn.Linear:
    return dense(matrix).requires_grad_(False)
