"""Words that every layer shares: the kind, the pace and the gradient of an estimate."""

from enum import StrEnum


class Kind(StrEnum):
    """What an estimate promises."""

    UNBIASED = "unbiased"
    """The mean of P-hat over seeds is P."""
    CONSISTENT = "consistent"
    """P-hat tends to P as the budget grows."""
    HEURISTIC = "heuristic"
    """A presumption (of Gaussianity, say) with no error bar."""
    LOWER = "lower"
    """A sound lower bound on P."""
    UPPER = "upper"
    """A sound upper bound on P."""


class Pace(StrEnum):
    """When a screen makes an estimate by itself, which depends on what it costs."""

    LIVE = "live"
    """Deterministic, milliseconds on small networks: anew at every move of a slider."""
    AT_REST = "at rest"
    """Deterministic, up to seconds: in the background, once the sliders have come to rest."""
    ASKED = "asked"
    """Sampled, or of open-ended cost: only when the reader starts it."""


class Grad(StrEnum):
    """How d log P / d parameters is to be had from an estimate."""

    NONE = "none"
    """`log_p` carries no graph."""
    PATHWISE = "pathwise"
    """`log_p` is a differentiable function of the parameters of D and M."""
    IMPLICIT = "implicit"
    """Through the optimality conditions of an inner search."""
