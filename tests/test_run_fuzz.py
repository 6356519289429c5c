"""Whatever became of a run's folder, nothing is raised but BadInput and StaleRun."""

import json
import shutil
from itertools import islice

import pytest
from fuzzing import as_json, fuzz, with_other_bytes, with_other_values
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.errors import BadInput, NotConverged, StaleRun, Unsupported
from workbench.experiments import Attempt, Run, shelf
from workbench.experiments import folder as module
from workbench.experiments.folder import CHECKPOINT, RUN

METHODS = {"sampled": wb.MonteCarlo(batch=64), "levels": wb.Subset(particles=100)}


@pytest.fixture(scope="module", params=list(METHODS))
def whole(request, tmp_path_factory):
    """A run that was stopped after a few steps."""
    place = tmp_path_factory.mktemp("runs") / "run"
    attempt = Attempt(wb.load("A_d10_1e-3"), METHODS[request.param], wb.Budget(2_000), 3)
    with Run.start(place, "estimate", attempt, every=2) as run:
        list(islice(run.walk(), 3))
    return place


def goes_on(place, steps=2):
    """Look at it and go on with it; a refusal is one line."""
    assert all(row["standing"] in ("finished", "stopped", "damaged") for row in shelf(place))
    try:
        with Run.resume(place) as run:
            list(islice(run.walk(), steps))
    except (BadInput, StaleRun, Unsupported, NotConverged) as error:
        assert str(error) and "\n" not in str(error)


def fresh(whole, tmp_path):
    place = tmp_path / "run"
    shutil.rmtree(place, ignore_errors=True)
    return shutil.copytree(whole, place)


@fuzz(120)
@given(st.data())
def test_fuzzed_bytes_of_a_run(whole, tmp_path, data):
    place = fresh(whole, tmp_path)
    names = sorted(p.name for p in place.iterdir())
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)):
        path = place / name
        path.write_bytes(with_other_bytes(data.draw, path.read_bytes()))
    goes_on(place)


@fuzz(200)
@given(st.data())
def test_fuzzed_values_of_a_run_under_digests_that_fit(whole, tmp_path, data):
    """As whoever forges a run would write it."""
    place = fresh(whole, tmp_path)
    name = data.draw(st.sampled_from([RUN, CHECKPOINT]))
    raw = json.loads((place / name).read_text())
    raw.pop("sha256")
    changed = with_other_values(data.draw, raw)
    (place / name).write_bytes(module._sealed(changed))
    goes_on(place, steps=0)


@fuzz(100)
@given(st.data())
def test_fuzzed_files_of_a_run_under_digests_that_fit(whole, tmp_path, data):
    """State, card or tensors with other bytes or values, and the digests made new."""
    place = fresh(whole, tmp_path)
    manifest = json.loads((place / RUN).read_text())
    mark = json.loads((place / CHECKPOINT).read_text())
    name = data.draw(st.sampled_from([*manifest["files"], mark["state"], module.METRICS]))
    was = (place / name).read_bytes()
    if name.endswith(".json") and data.draw(st.booleans()):
        now = as_json(with_other_values(data.draw, json.loads(was)))
    else:
        now = with_other_bytes(data.draw, was)
    (place / name).write_bytes(now)
    manifest.pop("sha256")
    mark.pop("sha256")
    if name in manifest["files"]:
        manifest["files"][name] = module._sha(now)
    elif name == mark["state"]:
        mark["state_sha256"] = module._sha(now)
    else:
        mark["metrics_sha256"], mark["metrics_bytes"] = module._sha(now), len(now)
    (place / RUN).write_bytes(module._sealed(manifest))
    (place / CHECKPOINT).write_bytes(module._sealed(mark))
    goes_on(place, steps=0)
