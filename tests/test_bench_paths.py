"""The bench of the paths that are taken most."""

import time

from workbench.bench import paths


def test_a_path_is_timed_and_its_busiest_function_named():
    made = []

    def ready():
        made.append("ready")
        return busy

    def busy():
        made.append("act")
        time.sleep(0.02)

    row = paths.measured(paths.Way("busy", ready, target=1.0), again=2)
    assert made == ["ready", *["act"] * 4]  # the first, two again, and one that is profiled
    assert row["first"] >= 0.02 and row["again"] >= 0.02
    assert row["busiest"].startswith("sleep ")
    told = list(paths.conclude([row, {**row, "target": None}, {**row, "target": 1e-3}]))
    assert [said.endswith("met).") for said in told] == [True, False]
    assert "missed" in told[1]


def test_every_path_has_something_to_do():
    """The cheap ones are taken; of all that are run elsewhere the command is asked for its help."""
    ways = {way.name: way for way in paths._paths()}
    assert len(ways) >= 10 and "a slider moved in Explore" in ways
    assert paths.busiest(ways["moments on digits"].ready())
    assert paths.measured(ways["workbench --help"], 1)["busiest"] == ""
    step = ways["a step of attack"].ready()
    step()
    step()
