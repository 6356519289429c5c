"""Runs as a flat table: CSV for every reader, Parquet with its types."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from workbench.errors import Unsupported
from workbench.experiments.attempt import Row
from workbench.iteration import Budget
from workbench.plain import plain

COLUMNS: dict[str, type] = {
    "problem": str, "estimator": str, "settings": str, "kind": str, "seed": int,
    "budget_forwards": int, "budget_seconds": float, "log10_p": float, "log10_err": float,
    "log10_low": float, "log10_high": float, "truth": float, "truth_se": float, "error": float,
    "covers": bool, "forwards": int, "flops": float, "seconds": float, "warning": str,
    "reason": str, "interrupted": bool, "version": str,
}  # fmt: skip
"""Name and type of every column, each of which may be empty; `log10_low` and `log10_high` are the
ends of the 95% interval, `settings` is JSON, `reason` says why there is no estimate."""


def flat(rows: Iterable[Row], budget: Budget) -> list[Row]:
    """One flat row a run, with all of `COLUMNS`; what is not known is None."""
    from workbench import __version__

    table = []
    for row in rows:
        low, high = row.get("log10_interval") or (None, None)
        made = {
            **row,
            "settings": json.dumps(row["settings"], sort_keys=True),
            "budget_forwards": budget.forwards, "budget_seconds": budget.seconds,
            "log10_low": low, "log10_high": high,
            "interrupted": row.get("interrupted", False), "version": __version__,
        }  # fmt: skip
        table.append({name: made.get(name) for name in COLUMNS})
    return table


def to_csv(rows: Iterable[Row], budget: Budget) -> str:
    """The runs as CSV under a line of names; -inf is `-inf`, what is not known is empty."""
    return _csv(flat(rows, budget), list(COLUMNS))


def to_parquet(rows: Iterable[Row], budget: Budget) -> bytes:
    """The runs as a Parquet file.

    Raises:
        Unsupported: without pyarrow.
    """
    return _parquet(flat(rows, budget), COLUMNS)


def table_csv(rows: Sequence[Row]) -> str:
    """Any rows as CSV: metrics of a run, a sweep; what a row lacks is empty.

    >>> table_csv([{"n": 1}, {"n": 2, "log10_p": float("-inf"), "who": ["a", "b"]}])
    'n,log10_p,who\\n1,,\\n2,-inf,"[""a"", ""b""]"\\n'
    """
    return _csv(_texts(rows), list(_columns(rows)))


def table_parquet(rows: Sequence[Row]) -> bytes:
    """Any rows as a Parquet file. Raises `Unsupported` without pyarrow."""
    return _parquet(_texts(rows), _columns(rows))


def _columns(rows: Sequence[Row]) -> dict[str, type]:
    """The columns in order of appearance, each of the narrowest type that holds its values."""
    seen: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            kinds = seen.setdefault(name, set())
            if value is not None:
                kinds.add(type(value) if isinstance(value, bool | int | float) else str)
    numbers = ({int, float}, {float})
    return {
        name: float if kinds in numbers else kinds.pop() if len(kinds) == 1 else str
        for name, kinds in seen.items()
    }


def _texts(rows: Sequence[Row]) -> list[Row]:
    """Every value as its column holds it; lists and objects as JSON."""
    columns = _columns(rows)

    def held(value: Any, kind: type) -> Any:
        if value is None or isinstance(value, kind):
            return value
        return kind(value) if kind is float else json.dumps(plain(value))

    return [{name: held(row.get(name), kind) for name, kind in columns.items()} for row in rows]


def _csv(table: Iterable[Row], names: list[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def _parquet(table: list[Row], columns: dict[str, type]) -> bytes:
    try:
        import pyarrow as pa  # no other format needs it
        import pyarrow.parquet as parquet
    except ImportError:
        raise Unsupported(
            "Parquet without pyarrow",
            "install the 'views' extra: pip install 'catastrophe-workbench[views]'",
            ["CSV"],
        ) from None
    types: dict[type, Any] = {
        str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(),
    }  # fmt: skip
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(table, schema), sink)
    return sink.getvalue()
