"""Values as JSON can hold them, and back."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NUMBERS = {"inf": math.inf, "-inf": -math.inf}


def plain(value: Any) -> Any:
    """The value as JSON can hold it: infinities as "-inf" and "inf", NaN as null.

    >>> plain({"log_p": -math.inf, "interval": (0.5, math.nan)})
    {'log_p': '-inf', 'interval': [0.5, None]}
    """
    match value:
        case None | bool() | int():
            return value
        case str() | Path():
            return str(value)
        case float():
            if math.isnan(value):
                return None
            return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(v) for v in value]
        case _ if hasattr(value, "tolist"):  # tensors and arrays
            return plain(value.tolist())
        case _:
            return str(value)


def numbers(value: Any) -> Any:
    """Inverse of `plain` for infinities, in lists and objects too.

    >>> numbers({"log_p": "-inf", "n": [1, "inf"]})
    {'log_p': -inf, 'n': [1, inf]}
    """
    match value:
        case str():
            return _NUMBERS.get(value, value)
        case Mapping():
            return {k: numbers(v) for k, v in value.items()}
        case list():
            return [numbers(v) for v in value]
        case _:
            return value
