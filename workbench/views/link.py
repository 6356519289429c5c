"""Taking the state of a screen out of a link, as far as it is sound."""

from collections.abc import Mapping
from typing import Any

import param


def take(session: param.Parameterized, values: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Set what is sound of these values; a sentence about the rest, or "".

    Args:
        session: whose parameters they are.
        values: of the link; of a list what is on offer is taken.
        names: {parameter: its name in the link}.
    """
    refused = []
    for name, value in values.items():
        offered = getattr(session.param[name], "objects", ())
        if isinstance(session.param[name], param.ListSelector) and isinstance(value, list):
            refused += [str(v)[:40] for v in value if v not in offered]
            value = [v for v in value if v in offered]
        try:
            session.param.update(**{name: value})
        except ValueError:
            refused.append(f"{names.get(name, name)} = {str(value)[:40]}")
    if not refused:
        return ""
    return f"The link asks for {', '.join(refused)}, which there is not; the rest is shown."
