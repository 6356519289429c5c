"""What the Train screen shows of a training, whatever kind it is of."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from workbench.experiments import Row, Run
from workbench.views.style import Figure


class Telling(ABC):
    """Of one kind of run: what the worker looks at, and what both faces make of it.

    `found` is what the worker published: what `told` gives, `met` and `picture` among it.
    """

    met_title: ClassVar[str]
    """Over the ledger."""

    @abstractmethod
    def told(self, run: Run) -> dict[str, Any]:
        """What does not change along a run: `problem`, its name here, `about`, and its own."""

    @abstractmethod
    def weights(self, run: Run) -> Tensor:
        """Of the model that is shown, flat."""

    @abstractmethod
    def met(self, run: Run, before: Tensor | None) -> tuple[dict[str, Any], ...]:
        """The lines of the ledger, of the present model and one of the weights `before`."""

    @abstractmethod
    def picture(self, run: Run, before: Tensor | None) -> Any:
        """What changed since the weights `before`; one that `train_shown` can show."""

    @abstractmethod
    def sentence(self, rows: Sequence[Row], found: Mapping[str, Any]) -> str:
        """How safe the model has become, and what that cost (HTML)."""

    @abstractmethod
    def mark(self, rows: Sequence[Row]) -> str:
        """What must not be overlooked (HTML); mostly empty."""

    @abstractmethod
    def danger(
        self, rows: Sequence[Row], before: Sequence[Row], found: Mapping[str, Any], dark: bool,
        height: int,
    ) -> Figure:  # fmt: skip
        """log10 P against steps, with the rows `before` of what is pinned."""

    @abstractmethod
    def task(
        self, rows: Sequence[Row], before: Sequence[Row], found: Mapping[str, Any], dark: bool,
        height: int,
    ) -> Figure:  # fmt: skip
        """What became of the task, against steps."""

    @abstractmethod
    def ledger(self, found: Mapping[str, Any]) -> str:
        """`met` as a table (HTML)."""
