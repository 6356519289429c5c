"""Bounds behind a mask, for which a finite number stands."""

import pytest
import torch
from torch import nn

from workbench.graph import read
from workbench.math.region import Region
from workbench.propagation.intervals import intervals, moves
from workbench.propagation.linear_bounds import Frame, bound


class Looking(nn.Module):
    """1, 2, 100 in a softmax of the scores -x_0, -x_0 - x_1, and one that is masked."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.tensor([True, True, False]))
        self.register_buffer("values", torch.tensor([[1.0], [2.0], [100.0]]))

    def forward(self, x):
        scores = torch.stack([-x[:, 0], -x[:, 0] - x[:, 1], 0.0 * x[:, 0]], 1)
        return scores.masked_fill(~self.seen, -torch.inf).softmax(1) @ self.values


@pytest.mark.parametrize(
    ("at", "known"), [(3.0, True), (200.0, True), (290.0, False), (500.0, False)]
)
def test_what_is_masked_stays_masked_where_all_else_lies_below_its_stand_in(at, known):
    """The graph puts -300 for minus infinity: at x_0 = 500 it sees what is masked, M does not."""
    module = Looking()
    path = moves(read(module, 2), 2, torch.float64)
    low = torch.tensor([[at, 0.0]])
    high = low + 1.0
    x = low + torch.rand(500, 2, generator=torch.Generator().manual_seed(0))
    ((least,),), ((most,),) = intervals(path, low, high)[-1]
    frame = Frame(torch.zeros(2), torch.eye(2))
    one, none = torch.ones(1, 1), torch.zeros(1)
    sharp = bound(path, frame, Region.box(low, high), one, none)
    y = module(x)
    for ends in ((least, most), (sharp.least, sharp.most)):
        assert bool((ends[0] <= y.min()) & (y.max() <= ends[1]))
        assert bool(torch.isfinite(torch.stack(ends)).all()) == known
    slope = torch.cat([sharp.lower_slope, sharp.upper_slope])[:, 0]
    below, above = (x @ slope.T + torch.cat([sharp.lower_offset, sharp.upper_offset])[:, 0]).T
    assert bool((below <= y[:, 0]).all() and (y[:, 0] <= above).all())
