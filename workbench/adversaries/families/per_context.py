"""A mixture D0 whose parts are contexts: another family's D for each of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench import distributions
from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Distribution
from workbench.distributions.by_context import ByContext
from workbench.distributions.mixture import picked
from workbench.errors import BadInput
from workbench.math.swapped import called_with
from workbench.rng import Rng

_MEMBERS = ("shifted", "scaled", "low_rank", "mixture", "flow", "generator")


@dataclass(frozen=True)
class PerContext(Family):
    """D(c, x) = v_c D_c(x): a member of another family around every class or context of D0.

    The contexts c are the parts of a mixture D0 = sum_c w_c D0_c. By the chain rule

        KL = KL(v || w) + sum_c v_c KL(D_c || D0_c),

    where c is seen; of the laws of x alone it is at most that. The parameters of a member are
    divided by sqrt(w_c) as they leave its start, so that steps of one length mean the same nats.

    Args:
        of: the family of the members, as it is usually set.
        reweigh: whether v is searched too, v_c proportional to w_c exp(theta_c / sqrt(w_c)); else
            v = w: how often each context comes up stays as it is.
    """

    of: str = "shifted"
    reweigh: bool = False
    name: ClassVar[str] = "per_context"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"of": _MEMBERS}

    def __post_init__(self) -> None:
        if self.of not in _MEMBERS:
            raise BadInput(f"per_context: of must be one of {', '.join(_MEMBERS)}, got {self.of!r}")
        if not isinstance(self.reweigh, bool):
            raise BadInput(f"per_context: reweigh must be true or false, got {self.reweigh!r}")

    @property
    def member(self) -> Family:
        """The family of the members."""
        from workbench.adversaries.families import family

        return family(self.of)

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, distributions.Mixture) and all(
            self.member.serves(part) for part in reference.components
        )

    def needed(self) -> str:
        return f"a mixture D0 whose parts the family {self.of!r} can start from"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, distributions.Mixture)
        mine = points[:, 1:]
        pick = picked(reference.log_weights, points[:, 0])
        members = []
        for k, part in enumerate(reference.components):
            own = mine[pick == k]
            own = mine if self.member.spreads and not len(own) else own
            members.append(self.member.module(part, rng.child("context", k), own))
        return _PerContext(reference, members, self.reweigh)


class _PerContext(Parameters):
    def __init__(self, reference: distributions.Mixture, members: list[Parameters], reweigh: bool):
        super().__init__()
        self.reference = reference
        self.members = nn.ModuleList(members)
        self.starts = [
            {name: p.detach().clone() for name, p in member.named_parameters()}
            for member in members
        ]
        size = len(members) if reweigh else 0
        self.tilts = nn.Parameter(torch.zeros(size, dtype=reference.dtype))

    def forward(self) -> ByContext:
        log_w = self.reference.log_weights
        parts = []
        for member, start, w in zip(self.members, self.starts, torch.exp(log_w), strict=True):
            moved = {
                name: start[name] + (p - start[name]) / math.sqrt(float(w))
                for name, p in member.named_parameters()
            }
            parts.append(called_with(member, moved, ()))
        if len(self.tilts):
            log_w = torch.log_softmax(log_w + self.tilts * torch.exp(-0.5 * log_w), 0)
        return ByContext(torch.exp(log_w), tuple(parts))
