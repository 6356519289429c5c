"""One JSON object on stdout."""

import json
from collections.abc import Mapping
from typing import Any

from workbench.plain import plain


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line."""
    print(json.dumps(plain(value), allow_nan=False), flush=True)
