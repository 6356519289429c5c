"""A base distribution restricted or weighted by a recogniser: recognised, never sampled."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions.base import Distribution, Event, Recognised
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.mixture import Mixture
from workbench.distributions.probing import probed, shape_of
from workbench.errors import BadInput
from workbench.math.checks import check_at_rest


@dataclass(frozen=True, eq=False)
class Conditional(Recognised, Distribution):
    """D = base given that r(x) > 0, with the recogniser r(x) = event.margin(x, network(x)).

    With `softness` c > 0 the base is weighted instead: its density times Phi(r(x) / c), up to a
    constant, as for a recogniser that is unsure near r = 0. (Other weights are energies: `Gibbs`.)

    Whether an input belongs to D is one forward pass of the recogniser; to draw from D where
    P(r > 0) is 1e-8 takes a hundred million. So D offers no samples, no moments and no normalised
    density, and the estimator `ratio` never asks for any.

    Args:
        base: a distribution of inputs.
        network: the recogniser, from `(batch, dim)` to `(batch, k)`; it is not trained.
        event: what the network says of an input that belongs to D: any spec on its k outputs.
        softness: c, in units of r; 0 restricts.

    Raises:
        BadInput: where the three do not fit together.

    >>> import torch, workbench as wb
    >>> base = wb.Gaussian(torch.zeros(2), torch.ones(2))
    >>> r = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.ones_(r.weight), torch.nn.init.zeros_(r.bias)
    >>> law = Conditional(base, r, wb.Halfspace(torch.ones(1), -3.0))
    >>> law.recognise(torch.tensor([[2.0, 2.0], [0.0, 0.0]]))
    tensor([ 1., -3.])
    """

    base: Distribution
    network: nn.Module
    event: Event
    softness: float = 0.0
    name: ClassVar[str] = "conditioned"

    def __post_init__(self) -> None:
        if not isinstance(self.base, Distribution) or isinstance(self.base, Recognised):
            got = getattr(self.base, "name", type(self.base).__name__)
            raise BadInput(f"the base of a conditioned law must be a plain distribution, got {got}")
        c = self.softness
        if isinstance(c, bool) or not isinstance(c, int | float) or not 0.0 <= c < math.inf:
            raise BadInput(f"the softness of a recogniser must be 0 or positive, got {c!r}")
        if c > 0.0 and not isinstance(self.base, Gaussian | Mixture):
            raise BadInput(
                "a soft recogniser weighs a gaussian or a mixture of gaussians, got the base "
                f"{self.base.name!r}"
            )
        if isinstance(self.network, nn.Module):
            check_at_rest("the recogniser", self.network)
        r = probed("the recogniser", self.recognise, self.dim, self.dtype)
        if not isinstance(r, Tensor) or r.shape != (2,):
            raise BadInput(
                f"the recogniser must give one number an input; two inputs gave {shape_of(r)}"
            )

    @property
    def dim(self) -> int:
        return self.base.dim

    @property
    def dtype(self) -> torch.dtype:
        return self.base.dtype

    def parts(self) -> tuple[Distribution, nn.Module, Event]:
        return self.base, self.network, self.event

    @torch.no_grad()
    def recognise(self, x: Tensor) -> Tensor:
        y = self.network(x)
        if isinstance(y, Tensor) and y.ndim == 2:
            self.event.check(y.shape[1])
        return self.event.margin(x, y)
