"""The laboratory of anomalies: a testbed, its explanation, what it leaves. No interface here."""

from collections.abc import Iterator
from typing import Any, ClassVar

import param

from workbench.anomaly import TESTBEDS, Account, Explanation, auroc, explain, make_testbed
from workbench.views.lab import LabSession

JOB = "account"


class AnomalySession(LabSession):
    """One visitor's testbed. `close()` ends its worker."""

    kept: ClassVar[tuple[str, ...]] = ("bed", "seed", "share")

    bed = param.Selector(
        objects=list(TESTBEDS), default="backdoor", label="Testbed",
        doc="A network with a behaviour, and inputs for which it is known why the behaviour "
        "occurs.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, None), label="Seed", doc="Determines the network and its inputs."
    )
    share = param.Number(
        0.9, bounds=(0.01, 0.999), label="Share to explain",
        doc="How much of the behaviour's variance on trusted inputs its terms must explain.",
    )  # fmt: skip
    inputs = param.Integer(
        60,
        bounds=(10, 500),
        label="Inputs per kind",
        doc="How many inputs of each kind are judged.",
    )

    @property
    def explanation(self) -> Explanation | None:
        """The terms, once they are found."""
        return self.found(JOB).get("explanation")

    @property
    def accounts(self) -> dict[str, Account]:
        """{kind of inputs: what the terms account for on them}, as far as it has come."""
        return self.found(JOB).get("accounts", {})

    @property
    def judging(self) -> bool:
        """Whether it is under way."""
        return self.running(JOB)

    def begin(self) -> None:
        """A first view without a click."""
        self.judge()

    def settled(self) -> None:
        """Another testbed or share: from the start."""
        self.judge()

    def judge(self) -> None:
        """Make the testbed, explain its behaviour, account for its inputs."""
        self.worker.start(JOB, self._steps())

    def _steps(self) -> Iterator[dict[str, Any]]:
        bed = make_testbed(str(self.bed), int(self.seed), int(self.inputs))
        found = explain(bed.problem, share=float(self.share))
        accounts: dict[str, Account] = {}
        yield {"explanation": found, "accounts": accounts}
        for kind, x in bed.kinds().items():
            if kind != "trusted":
                accounts = {**accounts, kind: found.account(x)}
                yield {"explanation": found, "accounts": accounts}

    def areas(self, score: str = "unexplained") -> dict[str, float]:
        """{kind: AUROC of the anomalous inputs against it}, once these have been judged.

        Args:
            score: of `Account`: "unexplained", or "surprise".
        """
        left = {kind: getattr(account, score) for kind, account in self.accounts.items()}
        if "anomalous" not in left:
            return {}
        return {k: auroc(left["anomalous"], s).value for k, s in left.items() if k != "anomalous"}
