"""A small network that makes the inputs of M: G_phi(z), and M∘G a deeper network."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.adversaries.families.base import AroundGaussian, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.distributions.transformed import Transformed
from workbench.estimators.base import check_positive
from workbench.math.swapped import own_weights
from workbench.models.residual import Residual
from workbench.rng import Rng


@dataclass(frozen=True)
class Generator(AroundGaussian):
    """x = D0's mean + L G(z): residual tanh blocks and a shift, the identity at the start.

    The search poses M∘G on z ~ N(0, I), one deeper network, so that propagation goes through the
    generator as through M. The blocks contract, so that G is one to one and KL has a density to be
    estimated from.

    Args:
        hidden: width of a block.
        blocks: how many.
    """

    hidden: int = 8
    blocks: int = 2
    name: ClassVar[str] = "generator"
    natural: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self.name, hidden=self.hidden, blocks=self.blocks)

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Gaussian)
        generator = rng.child("generator").generator()
        network = Residual(reference.dim, self.hidden, self.blocks, generator, reference.dtype)
        return _Generator(reference, network)


class _Generator(Parameters):
    def __init__(self, reference: Gaussian, network: Residual):
        super().__init__()
        self.reference, self.network = reference, network

    def forward(self) -> Transformed:
        return Transformed(self.reference, self.network, own_weights(self.network))
