"""Inputs of unknown kind: what detectors say of each, against normal inputs."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from workbench.anomaly.detectors import Detector
from workbench.anomaly.survey import Row
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.problem import Problem


def scored(
    problem: Problem,
    trusted: Tensor,
    normal: Tensor,
    inputs: Tensor,
    methods: Mapping[str, Detector],
    report: Callable[[float, str], None],
) -> Iterator[Row]:
    """One row an input and detector.

    Args:
        problem: the behaviour C of M under the trusted D.
        trusted: `(n, d)` draws of D, which detectors may learn from.
        normal: `(m, d)`, fresh inputs that the others are held against.
        inputs: `(k, d)`, those that are asked about.
        methods: {name in the rows: detector}.
        report: told the share of the work that is done, and what is under way.

    Yields:
        {"input": its number from 0, "margin": s, C occurs above 0, "detector", "score": the higher
        the odder, "above": share of the normal inputs that score less, ties half}; of a detector
        that cannot serve, where there are others, {"detector", "reason"}.

    Raises:
        Unsupported: where the only detector cannot serve.
        BadInput: where inputs do not fit D or are not finite.
        NotConverged: where a score is NaN.
    """
    d = trusted.shape[1]
    if inputs.ndim != 2 or inputs.shape[1] != d or len(inputs) == 0:
        raise BadInput(f"inputs must have shape (k, {d}), got {tuple(inputs.shape)}")
    if not bool(torch.isfinite(inputs).all()):
        raise BadInput("inputs must be finite")
    with torch.no_grad():
        margins = problem.margin(inputs)
    for i, (name, detector) in enumerate(methods.items()):
        report(i / len(methods), name)
        try:
            found = detector.scores(problem, trusted, torch.cat([normal, inputs]))
        except Unsupported as error:
            if len(methods) == 1:
                raise
            yield {"detector": name, "reason": str(error)}
            continue
        if bool(torch.isnan(found).any()):
            raise NotConverged(f"{name} gives a score that is NaN")
        usual, new = found.split([len(normal), len(inputs)])
        below = (usual < new[:, None]).double() + 0.5 * (usual == new[:, None])
        for k, row in enumerate(zip(margins, new, below.mean(1), strict=True)):
            margin, score, above = (float(v) for v in row)
            yield {
                "input": k, "margin": margin, "detector": name, "score": score, "above": above,
            }  # fmt: skip
