"""The whole state of the Adversary screen, and what follows from it. No interface in here."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import param

from workbench.adversaries import BASELINES, Attack, baseline
from workbench.adversaries.lm import LMAdversary
from workbench.distributions import Gaussian
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Estimate
from workbench.experiments import Course, Run, pursuit
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.views import Given, number_cells, text_pictures
from workbench.views import adversary_search as searches
from workbench.views.adversary_kept import Check, Pin, portrayed
from workbench.views.adversary_search import FAMILIES, TRUST, Search, adjustable, serves
from workbench.views.known import Known, bring, first_problem
from workbench.views.roster import keep_unusual
from workbench.views.rows import sampling
from workbench.views.stepped_session import SteppedSession
from workbench.views.worker import RUNNING

CHECK = "check"
"""The job in which an independent sampler looks at what was found."""
PROPOSAL, RIVALS = "proposal", "rivals"
"""The jobs of importance sampling from D, and of the baselines."""
CHECK_BUDGET, CHECK_TEXTS = 20_000, 10
"""Forward passes of a check; where a language model writes, as many as so many steps take."""
PROPOSAL_BUDGET = 50_000
CHECK_EVERY = 10
"""Steps between checks while the search runs; whenever it rests there is one too."""


class AdversarySession(SteppedSession):
    """One visitor's adversary.

    Args:
        problem: a catalogue name, the path of a card, or a Problem.
    """

    in_url: Mapping[str, str] = {
        "problem_name": "against", "family": "family", "region": "region", "limit": "limit",
        "by": "ascends", "seed": "attack_seed", "settings": "attack_set",
    }  # fmt: skip
    kinds = ("attack", "attack_lm")
    steers: ClassVar[tuple[str, ...]] = (
        "problem_name", "family", "region", "limit", "by", "seed", "settings",
    )  # fmt: skip

    problem_name = param.Selector(
        objects=[], check_on_set=True, label="Problem",
        doc="The triple (D₀, M, C): the adversary looks for a D near D₀ under which C is likely.",
    )  # fmt: skip
    family = param.Selector(
        objects=searches.titled(FAMILIES), check_on_set=True, label="Family",
        doc="The parametric family in which D is searched for; D₀ belongs to it.",
    )  # fmt: skip
    region = param.Selector(
        objects=searches.titled(TRUST), check_on_set=True, label="Trust region",
        doc="What keeps D near D₀: a limit on the KL divergence, a penalty on it, or a ball or a "
        "box that the mean may not leave (the box for shifted means only).",
    )  # fmt: skip
    limit = param.Number(
        4.0, bounds=(0.01, 1000.0), label="How far",
        doc="The size of the trust region. KL divergence: the limit on KL(D ‖ D₀) in nats; at 1 "
        "nat a typical draw of D is about e times as likely as under D₀. KL penalty: the price of "
        "a nat. Ball and box: standard deviations.",
    )  # fmt: skip
    by = param.Selector(
        objects=searches.titled(searches.whose()), check_on_set=True, label="Estimator",
        doc="The estimator of log P whose gradient the search follows: no failure needs to have "
        "been seen. Where D is a language model it learns from its own texts instead: by the score "
        "function, from the best texts, or from tilted ones.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, 2**31 - 1), label="Seed",
        doc="Determines every random number of the search and its checks.",
    )  # fmt: skip
    settings = param.Dict({}, doc="Settings that are not the defaults, by what they belong to.")

    def __init__(self, problem: Given | None = None, **params: Any):
        self.known = Known(serves)
        name, *_ = self.known.add_all(first_problem() if problem is None else problem)
        self.pins: tuple[Pin, ...] = ()
        self._begun: tuple[Course | None, Any] = (None, None)
        self._before: dict[str, Any] = {}
        self._given = frozenset(params)
        super().__init__()
        self.param.problem_name.objects = self.known.names
        first = "conditioned" if "conditioned" in searches.whose() else searches.whose()[0]
        self.param.watch(lambda _: self._suit(), "problem_name")
        self.param.update(**{"problem_name": name, "by": first, **params})
        self._given = frozenset()

    def source(self) -> str:
        return self.known.source(self.problem_name)

    def numbers(self) -> Iterator[str]:
        adversary, check = self.adversary, None
        if isinstance(adversary, LMAdversary):
            check = CHECK_TEXTS * adversary.draws
        yield number_cells.search(self.source(), adversary, self.seed, check)

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
        """What serves the problem, where the present choices do not. Text by a language model has
        a price on nats and settings of its own; what they took the place of comes back after it."""
        problem = self.problem
        back, self._before = self._before, {}
        self.param.update(**back)
        now: dict[str, Any] = searches.suited(problem, self.family, self.region, self.by)
        own = searches.usual_settings(problem)
        if own and "settings" not in self._given and not own.keys() & self.settings.keys():
            now["settings"] = {**self.settings, **own}
        if "region" in now and "limit" not in self._given:
            now["limit"] = searches.PRICE
        if own:
            usual = {key: self.param[key].default for key in ("region", "limit", "settings")}
            self._before = usual | {key: getattr(self, key) for key in now if key != "by"}
        self.param.update(**now)

    @property
    def adversary(self) -> Search:
        """The search as the controls have it.

        Raises:
            BadInput: where a setting is out of its range.
        """
        return searches.search(self.family, self.region, self.limit, self.by, self.settings)

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
        course, position = self._begun
        return self.found.get("course") is course is not None and position != self.position

    def _prepare(self) -> Callable[[], Run]:
        problem, seed, position = self.problem, self.seed, self.position
        chosen = self.family, self.region, self.limit, self.by, dict(self.settings)
        kind = "attack_lm" if self.writes else "attack"

        def make() -> Run:
            course = pursuit(problem, searches.search(*chosen), seed)
            self._begun = course, position
            return Run(course, kind)

        return make

    @property
    def writes(self) -> bool:
        """Whether the search learns from texts that its D writes."""
        return self.by in searches.FROM_DRAWS

    @property
    def by_shown(self) -> str:
        """Whose log P the search that is shown climbs."""
        course = self.found.get("course")
        return self.by if course is None else searches.climbed(course.iteration).name

    def adopt(self) -> None:
        """Move the controls to a run that was opened; called as the screen looks at the worker."""
        course = self.found.get("opened")
        if course is None or course is not self.found.get("course") or course is self._begun[0]:
            return
        self._begun = course, self.position  # once, even where something below is refused
        adversary = course.iteration
        name = course.problem.name
        known = name in self.known.names and _same(self.known.problem(name), course.problem)
        name = name if known else self.known.add(course.problem)
        self.param.problem_name.objects = self.known.names
        values = {
            "problem_name": name, "family": adversary.family.name, "seed": course.seed,
            "region": adversary.region.name,
            "limit": getattr(adversary.region, searches.size_of(adversary.region.name)),
            "settings": searches.unusual(adversary),
        }  # fmt: skip
        by = searches.climbed(adversary).name
        if by in searches.whose():
            values["by"] = by
        if not searches.usual_settings(course.problem):
            self._before = {}
        self.param.update(**values)
        self._begun = course, self.position

    def _look(self, run: Run) -> dict[str, Any]:
        course = run.subject
        try:
            attack = course.iteration.report(course.problem, course.state, course.seconds)
        except NotConverged:
            attack = None
        texts = None
        if attack is not None and text_pictures.shows_requests(attack.problem):
            texts = text_pictures.drawn(attack.problem, attack.distribution, course.seed)
        return {"attack": attack, "at": course.state.steps, "course": course, "texts": texts}

    @property
    def attack(self) -> Attack | None:
        """The best D so far; None before the first step along a gradient."""
        return self.found.get("attack")

    @property
    def texts(self) -> text_pictures.Texts | None:
        """Texts of D0 and D, where a language model writes them and a search is under way."""
        return self.found.get("texts")

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
        made = course.iteration
        budget = CHECK_BUDGET
        if isinstance(made, LMAdversary):
            budget = min(budget, CHECK_TEXTS * made.draws)

        def job() -> Iterator[dict[str, Any]]:
            yield {"checks": (*kept, portrayed(attack.check(rng, budget), steps, course))}

        self.worker.start(CHECK, job(), checks=kept)

    def told(self, job: str) -> Mapping[str, Any]:
        """What a job published about the run that is shown; empty where it was not asked for."""
        found = self.worker.results.get(job, {})
        return found if found.get("course") is self.found.get("course") else {}

    @property
    def proposed(self) -> Estimate | None:
        """P under D0 by importance sampling from a D of this run, once it was asked for."""
        return self.told(PROPOSAL).get("estimate")

    def propose(self) -> None:
        """Hand D to importance sampling, for P under D0.

        Raises:
            NotConverged: where there is no D yet.
            Unsupported: where D0 is no Gaussian, or D cannot be drawn from.
        """
        attack, course = self.attack, self.found.get("course")
        if attack is None:
            raise NotConverged("there is no D to draw from yet: make a step first")
        _need_gaussian("importance sampling from D", attack.problem)
        estimator, budget = attack.as_proposal(), Budget(PROPOSAL_BUDGET)
        estimator.check(attack.problem)
        self.worker.start(
            PROPOSAL, sampling(estimator, attack.problem, self.seed, budget), course=course
        )

    @property
    def rivals(self) -> tuple[Attack, ...]:
        """What the baselines found with as many nats and forward passes, checked."""
        return self.told(RIVALS).get("rivals", ())

    def challenge(self) -> None:
        """Let every baseline search with the nats and forward passes that D took.

        Raises:
            NotConverged: where there is no D yet.
            Unsupported: where D0 is no Gaussian.
        """
        attack, course = self.attack, self.found.get("course")
        if attack is None:
            raise NotConverged("there is nothing to compare with yet: make a step first")
        _need_gaussian("the baselines, which shift the mean of D0", attack.problem)
        rivals = [cls(nats=attack.nats) for cls in BASELINES]
        rivals[0].init(attack.problem, Rng(0))  # what cannot be shifted says so at once

        def job() -> Iterator[dict[str, Any]]:
            found: tuple[Attack, ...] = ()
            for rival in rivals:
                one = baseline(attack.problem, rival, attack.cost.forwards, self.seed, CHECK_BUDGET)
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
        region = f"{searches.said(self.region)} {self.limit:g}"
        name = f"{attack.problem.name}, {searches.said(attack.family)}, {region}"
        self.pins = (*self.pins, Pin(name, attack))

    def unpin(self) -> None:
        """Let all pins go."""
        self.pins = ()


def _need_gaussian(what: str, problem: Problem) -> None:
    d0 = problem.distribution
    if not isinstance(d0, Gaussian):
        raise Unsupported(
            f"{what} on {problem.name}", f"D0 must be a Gaussian, and it is of kind {d0.name!r}"
        )


def _same(a: Problem, b: Problem) -> bool:
    """Whether two problems of one name are one."""
    return a is b or a.card == b.card
