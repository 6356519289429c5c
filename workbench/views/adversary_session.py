"""The whole state of the Adversary screen, and what follows from it. No interface in here."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import param

from workbench.adversaries import (
    BASELINES,
    REGIONS,
    Adversary,
    Attack,
    baseline,
    families,
    pose,
)
from workbench.adversaries.families import no_points
from workbench.errors import BadInput, NotConverged
from workbench.estimators import ALL, Estimate, Estimator
from workbench.estimators.base import serving
from workbench.experiments import Course, Run, pursuit
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad
from workbench.views import Given, number_cells
from workbench.views.adversary_kept import Check, Pin, portrayed
from workbench.views.known import Known, bring, first_problem
from workbench.views.room_session import RoomSession
from workbench.views.roster import keep_unusual, settings_of
from workbench.views.rows import sampling
from workbench.views.stepping import JOB, Stepping
from workbench.views.worker import RUNNING, Worker

CHECK = "check"
"""The job in which an independent sampler looks at what was found."""
PROPOSAL, RIVALS = "proposal", "rivals"
"""The jobs of importance sampling from D, and of the baselines."""
CHECK_BUDGET = 20_000
PROPOSAL_BUDGET = 50_000
CHECK_EVERY = 10
"""Steps between checks while the search runs; whenever it rests there is one too."""
FAMILIES = {cls.name: cls for cls in families.ALL}
TRUST = {cls.name: cls for cls in REGIONS}
UNITS = {
    "kl": "nats that D may spend", "penalty": "price of a nat, in nats of log P",
    "ball": "radius, in standard deviations",
    "box": "half width of the box, in standard deviations of each coordinate",
}  # fmt: skip
"""{trust region: what its size means}."""


def climbable() -> dict[str, type[Estimator]]:
    """The estimators whose gradient an adversary can climb, by name."""
    return {cls.name: cls for cls in ALL if cls.grad in (Grad.PATHWISE, Grad.IMPLICIT)}


def serves(problem: Problem) -> bool:
    """Whether some family can start from D0, and some estimator is served by its D."""
    d0, rng = problem.distribution, Rng(0)
    known = (cls() for cls in families.ALL)
    posed = (pose(problem, f.module(d0, rng, no_points(d0))()) for f in known if f.serves(d0))
    return any(not climbable().keys().isdisjoint(serving(p)) for p in posed)


def adjustable() -> tuple[type[Any], ...]:
    """The classes whose settings the screen offers."""
    return (Adversary, *families.ALL, *climbable().values())


class AdversarySession(RoomSession):
    """One visitor's adversary. `close()` ends its worker.

    Args:
        problem: a catalogue name, the path of a card, or a Problem.
    """

    in_url: Mapping[str, str] = {
        "problem_name": "against", "family": "family", "region": "region", "limit": "limit",
        "by": "ascends", "seed": "attack_seed", "settings": "attack_set",
    }  # fmt: skip

    problem_name = param.Selector(
        objects=[], check_on_set=True, label="Problem",
        doc="The triple (D0, M, C): the adversary looks for a D near D0 under which C is likely.",
    )  # fmt: skip
    family = param.Selector(
        objects=list(FAMILIES), check_on_set=True, label="Family",
        doc="The ways in which D may differ from D0.",
    )  # fmt: skip
    region = param.Selector(
        objects=list(TRUST), check_on_set=True, label="Trust region",
        doc="What holds D near D0: at most so many nats of relative entropy (kl), a price for "
        "every nat (penalty), a ball for the mean (ball), or a box for it (box; family shifted).",
    )  # fmt: skip
    limit = param.Number(
        4.0, bounds=(0.01, 1000.0), label="How far",
        doc="Nats of KL(D || D0) for kl; with 1 nat a typical draw of D is still e times as "
        "frequent as under D0. The price of a nat for penalty, standard deviations for ball and "
        "box.",
    )  # fmt: skip
    by = param.Selector(
        objects=list(climbable()), check_on_set=True, label="Estimator",
        doc="Whose log P is climbed, by its gradient. No failure needs to have been seen.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, 2**31 - 1), label="Seed",
        doc="Determines every random number of the search and its checks.",
    )  # fmt: skip
    settings = param.Dict({}, doc="Settings that are not the usual ones, by what they belong to.")

    def __init__(self, problem: Given | None = None, **params: Any):
        self.known = Known(serves)
        name, *_ = self.known.add_all(first_problem() if problem is None else problem)
        self.worker = Worker()
        self.stepping = Stepping(self.worker, self._make, self._look, ("attack",))
        self.pins: tuple[Pin, ...] = ()
        self._begun: tuple[Course | None, Any] = (None, None)
        super().__init__()
        self.param.problem_name.objects = self.known.names
        first = "conditioned" if "conditioned" in climbable() else next(iter(climbable()))
        self.param.watch(lambda _: self._suit(), "problem_name")
        self.param.update(**{"problem_name": name, "by": first, **params})

    def source(self) -> str:
        return self.known.source(self.problem_name)

    def numbers(self) -> Iterator[str]:
        yield number_cells.search(self.source(), self.adversary, self.seed)

    def enabled(self) -> dict[str, bool]:
        found = self.attack is not None
        return {
            "pin": found, "unpin": bool(self.pins), "check": found and not self.checking,
            "propose": found, "challenge": found,
        }  # fmt: skip

    def bring(self, problem: Problem) -> None:
        bring(self, problem)

    @property
    def problem(self) -> Problem:
        """The chosen one, under D0."""
        return self.known.problem(self.problem_name)

    def _suit(self) -> None:
        """Another family or estimator, where the present one does not serve the problem."""
        problem, now = self.problem, {}
        if not FAMILIES[self.family]().serves(problem.distribution):
            serve = [n for n, cls in FAMILIES.items() if cls().serves(problem.distribution)]
            now |= {"family": serve[0]} if serve else {}
        able = serving(problem)
        if self.by not in able:
            serve = [name for name in climbable() if name in able]
            first = "conditioned" if "conditioned" in serve else next(iter(serve), None)
            now |= {"by": first} if first else {}
        self.param.update(**now)

    @property
    def adversary(self) -> Adversary:
        """The search as the controls have it.

        Raises:
            BadInput: where a setting is out of its range.
        """
        size = fields(TRUST[self.region])[0].name
        try:
            return Adversary(
                family=FAMILIES[self.family](**self.settings.get(self.family, {})),
                region=TRUST[self.region](**{size: self.limit}),
                estimator=climbable()[self.by](**self.settings.get(self.by, {})),
                **self.settings.get(Adversary.name, {}),
            )
        except TypeError as error:  # a link may ask for a setting that there is not
            raise BadInput(f"a setting is not known here: {error}") from None

    def setting(self, estimator: str, key: str, value: Any) -> None:
        """Give one setting of the search, a family or an estimator."""
        (cls,) = [cls for cls in adjustable() if cls.name == estimator]
        self.settings = keep_unusual(self.settings, estimator, key, value, cls().settings())

    @property
    def position(self) -> tuple[Any, ...]:
        """What a run depends on."""
        return (
            self.known.edition(self.problem_name), self.family, self.region, self.limit, self.by,
            self.seed, repr(sorted(self.settings.items())),
        )  # fmt: skip

    @property
    def stale(self) -> bool:
        """Whether what is shown began here under other settings."""
        course, position = self._begun
        return self.found.get("course") is course is not None and position != self.position

    def _make(self) -> Run:
        course = pursuit(self.problem, self.adversary, self.seed)
        self._begun = course, self.position
        return Run(course, "attack")

    def adopt(self) -> None:
        """Move the controls to a run that was opened; called as the screen looks at the worker."""
        course = self.found.get("opened")
        if course is None or course is not self.found.get("course") or course is self._begun[0]:
            return
        self._begun = course, self.position  # once, even where something below is refused
        adversary = course.iteration
        name = course.problem.name
        known = name in self.known.names and self.known.problem(name).card == course.problem.card
        name = name if known else self.known.add(course.problem)
        self.param.problem_name.objects = self.known.names
        settings: dict[str, Any] = {}
        for part in (adversary, adversary.family, adversary.estimator):
            for key in settings_of(type(part)):
                value, usual = getattr(part, key), type(part)().settings()
                settings = keep_unusual(settings, part.name, key, value, usual)
        size = fields(adversary.region)[0].name
        values = {
            "problem_name": name, "family": adversary.family.name, "seed": course.seed,
            "region": adversary.region.name, "limit": getattr(adversary.region, size),
            "settings": settings,
        }  # fmt: skip
        if adversary.estimator.name in climbable():
            values["by"] = adversary.estimator.name
        self.param.update(**values)
        self._begun = course, self.position

    @staticmethod
    def _look(run: Run) -> dict[str, Any]:
        """What the screen shows beyond the metrics; made in the worker's thread."""
        course = run.subject
        try:
            attack = course.iteration.report(course.problem, course.state, course.seconds)
        except NotConverged:
            attack = None
        return {"attack": attack, "at": course.state.steps, "course": course}

    @property
    def found(self) -> Mapping[str, Any]:
        """What is published of the run; empty before the first action."""
        return self.worker.results.get(JOB, {})

    @property
    def attack(self) -> Attack | None:
        """The best D so far; None before the first step along a gradient."""
        return self.found.get("attack")

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """Metrics, a row a step."""
        return self.found.get("rows", ())

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks of the steps that stand."""
        made = self.worker.results.get(CHECK, {}).get("checks", ())
        course, at = self.found.get("course"), self.found.get("at", 0)
        return tuple(c for c in made if c.steps <= at and c.course is course)

    @property
    def checked(self) -> Check | None:
        """The check of the very D that is shown, if there is one."""
        attack = self.attack
        for check in reversed(self.checks):
            if attack is not None and check.attack.found.theta.equal(attack.found.theta):
                return check
        return None

    @property
    def warning(self) -> str:
        """Where estimate and check part, or why nothing can be said yet; "" else."""
        check = self.checked
        return "" if check is None else check.attack.warning

    @property
    def checking(self) -> bool:
        """Whether a check is under way."""
        return self.worker.results.get(CHECK, {}).get("state") == RUNNING

    def play(self) -> None:
        """Search on."""
        self.adversary.check(self.problem)
        self.stepping.play()

    def tend(self) -> bool:
        """Have a check made where one is due; whether it was begun. Called as the screen paints."""
        attack = self.attack
        if attack is None or self.checking or self.checked is not None:
            return False
        if self.worker.results.get(CHECK, {}).get("state") == "error":
            return False  # D cannot be sampled: the sentence stands
        last = max((c.steps for c in self.checks), default=0)
        if self.stepping.running and self.found.get("at", 0) < last + CHECK_EVERY:
            return False
        self.check()
        return True

    def check(self) -> None:
        """An independent sampler looks at the D that is shown.

        Raises:
            NotConverged: where there is none yet.
        """
        attack, steps, course = self.attack, self.found.get("at", 0), self.found.get("course")
        if attack is None or course is None:
            raise NotConverged("there is no D to check yet: make a step first")
        rng = Rng(self.seed).child("check", steps)
        kept = tuple(c for c in self.checks if c.steps < steps)

        def job() -> Iterator[dict[str, Any]]:
            yield {"checks": (*kept, portrayed(attack.check(rng, CHECK_BUDGET), steps, course))}

        self.worker.start(CHECK, job(), checks=kept)

    def _told(self, job: str, what: str, usual: Any) -> Any:
        """What a job published about the run that is shown."""
        found = self.worker.results.get(job, {})
        here = found.get("course") is self.found.get("course")
        return found.get(what, usual) if here else usual

    @property
    def proposed(self) -> Estimate | None:
        """P under D0 by importance sampling from a D of this run, once it was asked for."""
        return self._told(PROPOSAL, "estimate", None)

    def propose(self) -> None:
        """Hand D to importance sampling, for P under D0.

        Raises:
            NotConverged: where there is no D yet.
            Unsupported: where D0 is no Gaussian, or D cannot be drawn from.
        """
        attack, course = self.attack, self.found.get("course")
        if attack is None:
            raise NotConverged("there is no D to draw from yet: make a step first")
        estimator, budget = attack.as_proposal(), Budget(PROPOSAL_BUDGET)
        estimator.check(attack.problem)
        self.worker.start(
            PROPOSAL, sampling(estimator, attack.problem, self.seed, budget), course=course
        )

    @property
    def rivals(self) -> tuple[Attack, ...]:
        """What the baselines found with as many nats and forward passes, checked."""
        return self._told(RIVALS, "rivals", ())

    def challenge(self) -> None:
        """Let every baseline search with the nats and forward passes that D took.

        Raises:
            NotConverged: where there is no D yet.
            Unsupported: where D0 is no Gaussian.
        """
        attack, course = self.attack, self.found.get("course")
        if attack is None:
            raise NotConverged("there is nothing to compare with yet: make a step first")
        searches = [cls(nats=attack.nats) for cls in BASELINES]
        searches[0].init(attack.problem, Rng(0))  # what cannot be shifted says so at once

        def job() -> Iterator[dict[str, Any]]:
            found: tuple[Attack, ...] = ()
            for search in searches:
                one = baseline(
                    attack.problem, search, attack.cost.forwards, self.seed, CHECK_BUDGET
                )
                found = (*found, one)
                yield {"rivals": found}

        self.worker.start(RIVALS, job(), course=course)

    def pin(self) -> None:
        """Keep what is shown, to compare others with.

        Raises:
            NotConverged: where nothing is.
        """
        attack = self.attack if self.checked is None else self.checked.attack
        if attack is None:
            raise NotConverged("there is no D to pin yet: make a step first")
        region = f"{self.region} {self.limit:g}"
        name = f"{attack.problem.name}, {attack.family}, {region}"
        self.pins = (*self.pins, Pin(name, attack))

    def unpin(self) -> None:
        """Let all pins go."""
        self.pins = ()

    def close(self) -> None:
        """Stop the worker and wait for it; save what is kept in a folder."""
        super().close()
        self.stepping.close()
