"""What all rooms say of a problem, in HTML: what it is about, and how far its C may be trusted."""

from workbench.html import prose
from workbench.problem import Problem
from workbench.specs import Head, Probe, heads_of


def about(problem: Problem) -> str:
    """The card's sentence; where a network's word is C, how often it errs."""
    judges = [_judged(head) for head in heads_of(problem.stated[1])]
    return f"<span class='small'>{' '.join([prose(problem.about), *judges])}</span>"


def _judged(head: Head) -> str:
    who = f"a probe on layer {head.layer}" if isinstance(head, Probe) else "a trusted network"
    learnt = f" (it learnt from {head.trained_on:,})" if head.trained_on else ""
    known = f"<b>{head.record}</b> on labelled inputs that it had not seen{learnt}"
    said = known if head.record else "how often it errs here is not known"
    return f"<span class='wb-record'>C is the word of {who}, not the truth: {said}.</span>"
