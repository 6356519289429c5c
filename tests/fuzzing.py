"""How many cases the fuzz tests try, and what they do to bytes and to JSON.

`FUZZ=10000 pytest tests -k fuzzed` tries ten thousand cases, other ones each time.
"""

import copy
import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("FUZZ", "0"))


def fuzz(cases):
    """Settings for a fuzz test: so many cases, or as many as FUZZ says, then not the same ones."""
    return settings(
        max_examples=CASES or cases,
        derandomize=not CASES,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.just([]), st.just({}), st.lists(st.integers(-9, 9), max_size=3),
)  # fmt: skip


def places(value, path=()):
    """Paths to everything inside a JSON value."""
    found = [path]
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(inner, (*path, key))
    return found


def with_other_values(draw, whole):
    """A JSON object in which one to three things are other ones, or gone."""
    changed = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        inside = places(changed)[1:]
        if not inside:
            break
        *way, last = draw(st.sampled_from(inside))
        inner = changed
        for key in way:
            inner = inner[key]
        if draw(st.booleans()):
            inner[last] = draw(VALUES)
        else:
            del inner[last]
    return changed


def with_other_bytes(draw, whole):
    """Bytes of which some are changed, cut out or added."""
    changed = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        match draw(st.sampled_from(["cut", "change", "add", "end"])):
            case "cut":
                del changed[at : at + draw(st.integers(1, 40))]
            case "change":
                changed[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "add":
                changed[at:at] = draw(st.binary(max_size=6))
            case _:
                del changed[at:]
    return bytes(changed)


def as_json(value):
    """Its bytes, NaN and all, as an attacker would write them."""
    return json.dumps(value).encode()
