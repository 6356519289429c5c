"""The bench of the paths that are taken most."""

import time
from types import SimpleNamespace

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


def test_every_path_has_a_row_and_the_screens_are_left_out_without_views(monkeypatch):
    ways = (paths.Way("one", lambda: lambda: None), paths.Way("two", lambda: lambda: None, False))
    monkeypatch.setattr(paths, "_paths", lambda: ways)
    told = []
    rows = list(paths.run(True, lambda share, label: told.append((share, label))))
    assert [r["path"] for r in rows] == ["one", "two"] == [label for _, label in told]
    assert rows[0]["busiest"] and rows[1]["busiest"] == "" and told[1][0] == 0.5
    monkeypatch.undo()
    monkeypatch.setattr(paths.importlib.util, "find_spec", lambda name: None)
    assert not any("Explore" in way.name for way in paths._paths())


def test_comparing_and_steps_of_a_course_are_paths_that_can_be_taken_again(monkeypatch):
    """Each act is one more of the same; the first step of a course prepares the others."""
    monkeypatch.setattr(paths, "_BUDGET", 1_000)
    act = paths._compared()
    for _ in range(2):
        assert len({row["estimator"] for row in act()}) == 4
    step = paths._stepped(lambda: SimpleNamespace(walk=lambda: iter(("ready", "one", "two"))))
    assert (step(), step()) == ("one", "two")


def test_the_screen_is_painted_and_its_slider_moved():
    paths._painted()
    move = paths._slid()
    move()
    move()


def test_functions_are_named_as_one_reads_them():
    linear = ("~", 0, "<built-in method torch._C._nn.linear>")
    assert paths._named(linear) == "linear"
    assert paths._named(("~", 0, "<method 'run' of 'x' objects>")) == "run"
    assert paths._named(("/some/where/file.py", 3, "act")) == "file.act"
