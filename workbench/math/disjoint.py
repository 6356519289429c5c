"""A union of clauses as a sum of disjoint ones."""

from collections.abc import Sequence

from workbench.errors import Unsupported

MOST = 4096


def disjoint(clauses: Sequence[Sequence[int]]) -> list[dict[int, bool]]:
    """Disjoint cells whose union is that of the clauses.

    A cell says of some literals whether they hold. Clause i less all before it is cut literal by
    literal: A less (l1 and l2) is (A and not l1) or (A and l1 and not l2).

    Raises:
        Unsupported: where there would be more than 4,096 cells.

    >>> disjoint([(0,), (1, 2)])
    [{0: True}, {1: True, 2: True, 0: False}]
    >>> disjoint([(0, 1), (2,)])
    [{0: True, 1: True}, {2: True, 0: False}, {2: True, 0: True, 1: False}]
    """
    cells: list[dict[int, bool]] = []
    for i, clause in enumerate(clauses):
        parts = [dict.fromkeys(clause, True)]
        for other in clauses[:i]:
            parts = [rest for part in parts for rest in _less(part, other)]
            if len(cells) + len(parts) > MOST:
                raise Unsupported(
                    f"a union of {len(clauses)} clauses", f"at most {MOST} disjoint ones are added"
                )
        cells += parts
    return cells


def _less(cell: dict[int, bool], clause: Sequence[int]) -> list[dict[int, bool]]:
    """The part of a cell outside a clause, as disjoint cells."""
    if any(cell.get(literal) is False for literal in clause):
        return [cell]
    rest, inside = [], dict(cell)
    for literal in clause:
        if literal not in cell:
            rest.append({**inside, literal: False})
            inside[literal] = True
    return rest
