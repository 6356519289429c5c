"""The network with every activation replaced by its mean over Gaussian noise of a fixed scale."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workbench.graph import Graph
from workbench.graph.rules import Affine, Pointwise
from workbench.propagation.blocks import total


@dataclass(frozen=True, eq=False)
class Smoothed:
    """x -> E M(x + noise), pre-activation i presumed N(its mean, scale_i^2), scales held fixed.

    As cheap as M, and smooth where M has kinks; the mean of a propagated law moves with x as this
    does while its spread does not change. What is neither affine nor elementwise is left as it is.

    Args:
        graph: of M.
        scales: standard deviations `(n,)` or `(*B, n)` of every value that an activation is
            applied to, by its node.
    """

    graph: Graph
    scales: Mapping[int, Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """`(batch, d)` to `(batch, k)`."""
        values, shapes = [x], self.graph.shapes(x.shape[-1])
        rules = self.graph.rules(x.shape[-1])
        for node, rule in zip(self.graph.nodes[1:], rules, strict=True):
            inputs = [values[i] for i in node.inputs]
            match rule:
                case Affine():
                    y = total(a.vector(v) for a, v in zip(rule.maps, inputs, strict=True))
                    values.append(y if rule.offset is None else y + rule.offset)
                case Pointwise():
                    scale = self.scales[node.inputs[0]].expand_as(inputs[0])
                    values.append(rule.row.moments(inputs[0], scale)[0])
                case _:
                    given = [
                        v.unflatten(-1, shapes[i]) for v, i in zip(inputs, node.inputs, strict=True)
                    ]
                    values.append(node.op(*given).flatten(1))
        return values[-1]
