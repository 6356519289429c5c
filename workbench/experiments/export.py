"""Runs as a flat table: CSV for every reader, Parquet with its types."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from workbench.errors import Unsupported
from workbench.experiments.attempt import Row
from workbench.iteration import Budget

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
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat(rows, budget))
    return text.getvalue()


def to_parquet(rows: Iterable[Row], budget: Budget) -> bytes:
    """The runs as a Parquet file.

    Raises:
        Unsupported: without pyarrow.
    """
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
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(flat(rows, budget), schema), sink)
    return sink.getvalue()
