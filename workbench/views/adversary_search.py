"""What the controls of the room Adversary stand for: where D may go, and whose slope is climbed."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeAlias

from workbench.adversaries import REGIONS, Adversary, families, pose
from workbench.adversaries.families import no_points
from workbench.adversaries.lm import LMAdversary, for_text
from workbench.adversaries.sources import SOURCES
from workbench.distributions import PromptedText
from workbench.errors import BadInput
from workbench.estimators import ALL, Estimator
from workbench.estimators.base import serving
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad
from workbench.views.roster import Settings, keep_unusual, settings_of, title

Search: TypeAlias = Adversary | LMAdversary

FAMILIES = {cls.name: cls for cls in families.ALL}
TRUST = {cls.name: cls for cls in REGIONS}
FROM_DRAWS = {cls.name: cls for cls in SOURCES}
"""{source of slopes: its class}: D is a language model, and learns from texts that it writes."""
PRICE = 0.05
"""Of a nat, where a language model writes."""
UNITS = {
    "kl": "nats: the limit on KL(D ‖ D₀)", "penalty": "price of a nat, in nats of log P",
    "ball": "radius, in standard deviations",
    "box": "half-width of the box, in standard deviations of each coordinate",
}  # fmt: skip
"""{trust region: what its size means}."""
_SAID = {
    "kl": "KL divergence", "penalty": "KL penalty", "flow": "normalising flow",
    "generator": "neural generator", "fine_tuned": "fine-tuned language model",
    "score": "score function", "elites": "best texts", "tilted": "tilted texts",
}  # fmt: skip


def titled(names: Iterable[str]) -> dict[str, str]:
    """{what a reader reads: name} of families, trust regions, or what is followed."""
    return {said(name): name for name in names}


def said(name: str) -> str:
    """One of them."""
    return _SAID.get(name, title(name))


def climbable() -> dict[str, type[Estimator]]:
    """The estimators whose gradient an adversary can climb, by name."""
    return {cls.name: cls for cls in ALL if cls.grad in (Grad.PATHWISE, Grad.IMPLICIT)}


def whose() -> list[str]:
    """Whose log P may be climbed: estimators with a gradient, then the sources of slopes from
    draws."""
    return [*climbable(), *FROM_DRAWS]


def followed(problem: Problem) -> list[str]:
    """Those of `whose` that serve a problem."""
    if isinstance(problem.distribution, PromptedText):
        return ["score", "elites"]
    able = serving(problem)
    return [name for name in climbable() if name in able]


def serves(problem: Problem) -> bool:
    """Whether some family can start from D0, and something can be climbed under its D."""
    d0, rng = problem.distribution, Rng(0)
    if isinstance(d0, PromptedText):
        return True
    known = (cls() for cls in families.ALL)
    posed = (pose(problem, f.module(d0, rng, no_points(d0))()) for f in known if f.serves(d0))
    return any(not climbable().keys().isdisjoint(serving(p)) for p in posed)


def suited(problem: Problem, family: str, region: str, by: str) -> dict[str, str]:
    """Another family, trust region or estimator, where the present one does not serve."""
    d0, now = problem.distribution, {}
    if not FAMILIES[family]().serves(d0):
        serve = [n for n, cls in FAMILIES.items() if cls().serves(d0)]
        now |= {"family": serve[0]} if serve else {}
    able = followed(problem)
    if by not in able:
        first = "conditioned" if "conditioned" in able else next(iter(able), None)
        now |= {"by": first} if first else {}
    if isinstance(d0, PromptedText) and region != "penalty":
        now |= {"region": "penalty"}  # its relative entropy is only estimated
    return now


def usual_settings(problem: Problem) -> dict[str, dict[str, Any]]:
    """Of a search by draws that suits a problem; empty where classes have it right themselves."""
    if not isinstance(problem.distribution, PromptedText):
        return {}
    usual = for_text(problem.distribution)
    found: dict[str, dict[str, Any]] = {}
    for part in (usual, usual.source):
        for key in settings_of(type(part)):
            value = getattr(part, key)
            found = keep_unusual(found, part.name, key, value, type(part)().settings())
    return found


def adjustable() -> tuple[type[Any], ...]:
    """The classes whose settings the screen offers."""
    return (Adversary, *families.ALL, *climbable().values(), LMAdversary, *SOURCES)


def size_of(region: str) -> str:
    """What a trust region calls its size."""
    return fields(TRUST[region])[0].name


def search(family: str, region: str, limit: float, by: str, settings: Settings) -> Search:
    """The search as controls have it.

    Raises:
        BadInput: where a setting is out of its range, or not known.
    """
    try:
        common = {
            "family": FAMILIES[family](**settings.get(family, {})),
            "region": TRUST[region](**{size_of(region): limit}),
        }
        if by in FROM_DRAWS:
            source = FROM_DRAWS[by](**settings.get(by, {}))
            return LMAdversary(source=source, **common, **settings.get(LMAdversary.name, {}))
        estimator = climbable()[by](**settings.get(by, {}))
        return Adversary(estimator=estimator, **common, **settings.get(Adversary.name, {}))
    except TypeError as error:  # a link may ask for a setting that there is not
        raise BadInput(f"a setting is not known here: {error}") from None


def climbed(made: Search) -> Any:
    """The estimator, or the source of slopes, that a search follows."""
    return made.source if isinstance(made, LMAdversary) else made.estimator


def unusual(made: Search) -> dict[str, dict[str, Any]]:
    """The settings of a search that are not the usual ones, by what they belong to."""
    settings: dict[str, dict[str, Any]] = {}
    parts: tuple[Any, ...] = made, made.family, climbed(made)
    for part in parts:
        for key in settings_of(type(part)):
            value, usual = getattr(part, key), type(part)().settings()
            settings = keep_unusual(settings, part.name, key, value, usual)
    return settings
