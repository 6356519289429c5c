"""What a distribution D can do: small abstract classes, one a capability.

A distribution is a frozen value of tensors; trainable ones are produced by a Module that holds the
parameters. An estimator names the capabilities that it needs, and no others are ever asked for.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math import simplex


class Distribution(ABC):
    """A law of inputs x in R^dim."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of x."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Of the samples."""


class Sampleable(ABC):
    """Independent draws."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """`(n, dim)` independent draws."""


class Density(ABC):
    """A normalised density."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log density in nats at `x` `(batch, dim)`; shape `(batch,)`."""


class Driven(Sampleable, ABC):
    """x = G(noise): what the chains of `subset` move in."""

    @abstractmethod
    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws of the noise, along the first axis."""

    @abstractmethod
    def push(self, z: Tensor) -> Tensor:
        """x = G(z), `(batch, dim)`."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.push(self.noise(n, generator))


class Reparameterised(Driven, ABC):
    """x = G(z) with base noise z ~ N(0, I), `(batch, noise_dim)`."""

    stretched: ClassVar[bool] = False
    """Whether G grows faster than any multiple of z, as it does where tails are heavy: margins then
    bend along lines of noise, for which `conditioned` and `importance` allow."""

    @property
    @abstractmethod
    def noise_dim(self) -> int:
        """Length of z."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype: ...

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """`(n, noise_dim)` draws of z."""
        return torch.randn(
            n, self.noise_dim, generator=generator, dtype=self.dtype, device=generator.device
        )


@dataclass(frozen=True)
class Piece:
    """One piece of D by its first two moments; D = sum of exp(log_weight) times its pieces.

    Many pieces in one have leading axes B in common, and are propagated at once; a covariance
    without them is shared by all.

    Args:
        log_weight: `(*B)`.
        mean: `(*B, d)`.
        cov: `(d, d)` or `(*B, d, d)`; variances `(d,)` or `(*B, d)` where `uncorrelated`.
        uncorrelated: whether `cov` holds variances alone; by default, where it is a vector.

    Raises:
        BadInput: where mean and cov do not fit.
    """

    log_weight: Tensor
    mean: Tensor
    cov: Tensor
    uncorrelated: bool | None = None

    def __post_init__(self) -> None:
        if self.uncorrelated is None:
            object.__setattr__(self, "uncorrelated", self.cov.ndim == 1)
        *batch, d = self.mean.shape
        own = (d,) if self.uncorrelated else (d, d)
        if tuple(self.cov.shape) not in (own, (*batch, *own)):
            raise BadInput(
                f"a piece with means {tuple(self.mean.shape)} cannot have covariances "
                f"{tuple(self.cov.shape)}"
            )


class Moments(ABC):
    """Means and covariances in closed form: where propagation starts."""

    @abstractmethod
    def pieces(self) -> tuple[Piece, ...]:
        """D as a weighted sum of pieces; the law of total probability is applied over them."""


class BoxSupport(ABC):
    """A bounded support: where interval bounds start."""

    @abstractmethod
    def bounds(self) -> tuple[Tensor, Tensor]:
        """Least and greatest value of every coordinate, each `(dim,)`."""


@dataclass(frozen=True, eq=False)
class Factor:
    """x = offset + matrix w with independent w_i, all standard normal or all uniform on [0, 1].

    Args:
        log_weight: 0-d; D = sum of exp(log_weight) times its factors.
        offset: `(dim,)`.
        matrix: `(dim, d)`, or `(dim,)` where it is diagonal.
        normal: whether the w_i are standard normal.
    """

    log_weight: Tensor
    offset: Tensor
    matrix: Tensor
    normal: bool


class Factored(ABC):
    """A weighted sum of affine images of independent variables: what can be cut into cells of
    known mass."""

    @abstractmethod
    def factors(self) -> tuple[Factor, ...]:
        """The images and their weights."""


class Enumerable(ABC):
    """Finitely many outcomes, each with its probability, or with its weight where their sum is not
    known."""

    normalised: ClassVar[bool] = True
    """Whether the weights sum to 1."""

    @property
    @abstractmethod
    def outcomes(self) -> int:
        """How many outcomes of positive probability there are."""

    @abstractmethod
    def outcome(self, start: int, n: int) -> tuple[Tensor, Tensor]:
        """Outcomes number start, ..., start + n - 1, as far as there are any.

        Returns:
            x `(m, dim)` and its log probability, or log weight, `(m,)` in float64.
        """


class Sequences(ABC):
    """x is a sequence of token ids: int64 `(batch, dim)`, each in 0, ..., alphabet - 1.

    M takes such ids. Estimators that use gradients in x also give M soft tokens, floats
    `(batch, dim, alphabet)` of which one-hots are a case, and differentiate in them.
    """

    @property
    @abstractmethod
    def alphabet(self) -> int:
        """V, how many tokens there are."""


class IndependentTokens(Sequences, Driven, ABC):
    """Sequences whose positions are independent, each with its own categorical law.

    The tokens themselves are the noise that chains move in.
    """

    @abstractmethod
    def log_probs(self) -> Tensor:
        """`(dim, alphabet)`: log P(x_i = v), -inf where v never stands at i; carries the graph."""

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """`(n, dim)` draws of x."""
        p = torch.exp(self.log_probs().detach())
        return simplex.draw(p, n, generator).contiguous()

    def push(self, z: Tensor) -> Tensor:
        return z


class Event(Protocol):
    """What a recogniser says of inputs that belong to D: any spec on its outputs."""

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        """`(batch,)`, positive where x belongs to D; for inputs x and the network's outputs y."""
        ...

    def check(self, outputs: int) -> None:
        """Raises `BadInput` where it does not fit a network with this many outputs."""
        ...


class Recognised(ABC):
    """A base distribution restricted or weighted by a recogniser r: r can be told, nothing drawn.

    Restricted, the density is base(x) 1[r(x) > 0] / P(r > 0); weighted, with softness c > 0, it is
    base(x) Phi(r(x) / c) over its integral. Since Phi(r / c) = P(r + c z > 0) for z ~ N(0, 1), the
    second is the first with one more independent Gaussian coordinate of the base.
    """

    softness: float
    """c; 0 where the base is restricted."""

    @abstractmethod
    def parts(self) -> tuple[Distribution, nn.Module, Event]:
        """The base, the recogniser's network, and what it says of inputs that belong to D."""

    @abstractmethod
    def recognise(self, x: Tensor) -> Tensor:
        """r `(batch,)` for x `(batch, dim)`; x belongs to D where r > 0, unless it is soft."""


class Energy(ABC):
    """A density that is known up to its normalisation."""

    @abstractmethod
    def log_weight(self, x: Tensor) -> Tensor:
        """log density plus a constant that nobody knows, at x `(batch, dim)`; `(batch,)`."""
