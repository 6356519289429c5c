"""Small faults that can be put into Python code, one at a time.

A fault turns an operation (+ and -, * and /, ** and *), a comparison, `and` / `or`, `is`, `in`, a
minimum or maximum, a sum or product, the arms of a `where` or a sign round, adds 1 to a whole
number, doubles another, or drops a `not`. Knobs of accuracy are left alone, since turning them is
no fault: constants and defaults with a name, numbers beyond 1e-6 and 1e6, bounds of loops from 10;
so is the `strict` of a zip.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
PAIRS = ("min max", "amin amax", "argmin argmax", "minimum maximum", "any all", "sum prod")
CALLS = {a: b for pair in map(str.split, PAIRS) for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Fault:
    """What is changed in which line, and how: `put` changes the tree it was found in."""

    line: int
    what: str
    put: Callable[[], None]


def faults(tree: ast.AST) -> Iterator[Fault]:
    """Every fault that can be put into a tree, in order."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                continue
            case ast.Assign(value=ast.Constant()) if isinstance(tree, ast.Module | ast.ClassDef):
                continue
            case ast.AnnAssign(value=value):
                if value is not None and not isinstance(tree, ast.ClassDef):
                    yield from faults(ast.Expression(value))
            case ast.FunctionDef():
                yield from faults(ast.Module(node.body, []))
            case ast.ClassDef():
                yield from faults(ast.ClassDef(node.name, [], [], node.body, []))
            case ast.Call(func=ast.Name("range"), args=[ast.Constant(int(n)), *_]) if n >= 10:
                continue
            case ast.keyword(arg="strict"):
                continue
            case _:
                yield from _at(node)
                yield from faults(node)


def _at(node: ast.AST) -> Iterator[Fault]:
    """The faults of one node itself."""

    def fault(what: str, target: object = node, **new: object) -> Fault:
        return Fault(node.lineno, what, lambda: [setattr(target, k, v) for k, v in new.items()])  # type: ignore[attr-defined]

    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATIONS:
            other = OPERATIONS[type(op)]
            yield fault(f"{type(op).__name__} -> {other.__name__}", op=other())
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            other = COMPARISONS[type(op)]
            yield fault(f"{type(op).__name__} -> {other.__name__}", ops=[other()])
        case ast.BoolOp(op=op):
            other = ast.Or if isinstance(op, ast.And) else ast.And
            yield fault(f"{type(op).__name__} -> {other.__name__}", op=other())
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=inner):
            yield fault("not dropped", operand=ast.UnaryOp(node.op, inner))
        case ast.UnaryOp(op=ast.USub()):
            yield fault("minus dropped", op=ast.UAdd())
        case ast.Call(func=ast.Attribute(attr="where"), args=[c, a, b]):
            yield fault("arms of where", args=[c, b, a])
        case ast.Call(func=ast.Attribute(attr=name) as f) if name in CALLS:
            yield fault(f"{name} -> {CALLS[name]}", f, attr=CALLS[name])
        case ast.Call(func=ast.Name(id=name) as f) if name in CALLS and name not in ("sum", "prod"):
            yield fault(f"{name} -> {CALLS[name]}", f, id=CALLS[name])
        case ast.Constant(value=bool(value)):
            yield fault(f"{value} -> {not value}", value=not value)
        case ast.Constant(value=int(value)):
            yield fault(f"{value} -> {value + 1}", value=value + 1)
        case ast.Constant(value=float(value)) if value == 0.0 or 1e-6 <= abs(value) <= 1e6:
            yield fault(f"{value} -> {2.0 * value or 1.0}", value=2.0 * value or 1.0)
