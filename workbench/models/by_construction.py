"""Recurrent networks whose weights were thought out, and which are right on every input."""

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.models.mlp import dense
from workbench.models.rnn import RNN


def built(task: str, n: int) -> RNN:
    """An RNN of ReLUs without biases that does the task on all x in R^n but those with ties.

    The units come in pairs relu(d), relu(-d), of which the difference is d: with

        d_k(t) = x_t - x_(t-k),  k = 1, ..., n - 1,  x_i = 0 for i < 1,

    d_(n-1) = x_t until the last step, and d_(n-1) - d_k = x_(t-k): each step finds in the one
    before all that it needs. In the end d_k = x_n - x_(n-k).

    - "argmax": n - 1 pairs; y_i = x_i - x_n.
    - "second", n = 3: another unit holds relu(x_2 - x_1), which tells max(x_1, x_2) at last;
      y_i = x_i + 2 max_(j != i) x_j - 3 x_n. For the largest it is x_1 + 2 x_2, for the second
      x_2 + 2 x_1, for the third x_3 + 2 x_1 (here in order of size): the second's is the greatest.
      n = 2 needs one pair. Of three the second is the middle one, "argmedian".
    - "median", n = 3: min + relu(x_3 - min) - relu(x_3 - max), min and max of x_1, x_2, with two
      more units for these and a pair for min. n = 2: (x_1 + x_2) / 2, one pair.

    Raises:
        BadInput: for a task, or a length of it, that is not built here.

    >>> built("second", 3)(torch.tensor([[0.3, -1.0, 0.9]]).double()).argmax(1).tolist()
    [0]
    """
    if task == "argmax" and n >= 2:
        return _rnn(*_pairs(n), _argmax(n), n)
    if task == "second" and n == 2:
        return _rnn(*_pairs(2), -_argmax(2), 2)
    if task in ("second", "argmedian") and n == 3:
        return _second_of_three()
    if task == "median" and n == 2:
        pair = torch.tensor([[1.0, -1.0]]).double()
        return _rnn(torch.tensor([[1.0], [-1.0]]).double(), torch.cat([pair, -pair]), 0.5 * pair, 2)
    if task == "median" and n == 3:
        return _median_of_three()
    known = "argmax; second of 2 or 3; argmedian of 3; median of 2 or 3"
    raise BadInput(f"no network is built for {task!r} of {n} numbers: there are {known}")


def _rnn(read: Tensor, recur: Tensor, say: Tensor, n: int) -> RNN:
    return RNN(dense(read), dense(recur), dense(say), n).requires_grad_(False).eval()


def _pairs(n: int) -> tuple[Tensor, Tensor]:
    """Weights that read and carry the d_k: unit 2 k - 2 is relu(d_k), the next relu(-d_k)."""
    m = n - 1
    past = torch.zeros(m, m).double()  # row k - 1: x_(t-k) in terms of the d before
    past[:, -1] = 1.0
    for k in range(1, m):
        past[k, k - 1] -= 1.0
    differ = torch.kron(torch.eye(m), torch.tensor([[1.0, -1.0]])).double()
    read = differ.T @ torch.ones(m, 1).double()
    return read, -differ.T @ past @ differ


def _argmax(n: int) -> Tensor:
    """y_(n-k) = -d_k."""
    say = torch.zeros(n, 2 * (n - 1)).double()
    for k in range(1, n):
        say[n - k - 1, 2 * k - 2], say[n - k - 1, 2 * k - 1] = -1.0, 1.0
    return say


def _second_of_three() -> RNN:
    """Units relu(d_1), relu(-d_1), relu(d_2), relu(-d_2), and the first one step late."""
    read, recur = _pairs(3)
    late = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]).double()
    recur = torch.cat([torch.cat([recur, torch.zeros(4, 1).double()], 1), late])
    d_1, d_2 = (torch.tensor(v).double() for v in ([1, -1, 0, 0, 0], [0, 0, 1, -1, 0]))
    on_1, on_2, held = torch.eye(5).double()[[0, 2, 4]]
    say = torch.stack([2 * on_1 - d_2 - 2 * d_1, 2 * on_2 - d_1 - 2 * d_2, 2 * held - 2 * d_2])
    return _rnn(torch.cat([read, torch.zeros(1, 1).double()]), recur, say, 3)


def _median_of_three() -> RNN:
    """The pairs for d_1 and d_2; relu(x_t - min), relu(x_t - max) and a pair for min, all of the
    two before: min = x_(t-1) - relu(d_1), max = x_(t-2) + relu(d_1) of the step before."""
    read, recur = _pairs(3)
    recur = torch.cat([recur, torch.zeros(4, 4).double()], 1)
    last, before = torch.tensor([[0, 0, 1, -1], [-1, 1, 1, -1]]).double()
    on = torch.tensor([1, 0, 0, 0]).double()
    low, high = last - on, before + on
    more = torch.cat([torch.stack([-low, -high, low, -low]), torch.zeros(4, 4).double()], 1)
    say = torch.tensor([[0.0, 0, 0, 0, 1, -1, 1, -1]]).double()
    units = torch.tensor([[1.0], [1.0], [0.0], [0.0]]).double()
    return _rnn(torch.cat([read, units]), torch.cat([recur, more]), say, 3)
