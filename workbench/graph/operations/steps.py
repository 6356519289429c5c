"""The steps of a composite operation, collected as they are put."""

from workbench.graph.base import Composite, Op, Step


class Steps:
    """Collects the steps of an operation that takes so many values."""

    def __init__(self, sources: int = 1):
        self.sources = sources
        self.found: list[Step] = []

    def put(self, op: Op | Composite, *inputs: int) -> int:
        """Add a step; the number of the value that it makes."""
        self.found.append((op, inputs))
        return self.sources + len(self.found) - 1
