"""Runs on disk: resumed bit for bit, whole after every crash, refused where they were altered."""

import json
import os
from itertools import islice

import pytest
from commands import KEYS, ask, refuse, workbench
from killing import kill_again_and_again

import workbench as wb
from workbench.cli import estimate as command
from workbench.errors import BadInput, StaleRun
from workbench.experiments import Attempt, Folder, Run, shelf
from workbench.experiments.folder import CHECKPOINT, METRICS, RUN, VERSION
from workbench.iteration import State, equal

PROBLEM = "A_d10_1e-3"
METHODS = [wb.MonteCarlo(batch=64), wb.Subset(particles=100), wb.Importance(), wb.Moments()]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


def attempt(method=METHODS[0], budget=2_000, seed=3):
    return Attempt(wb.load(PROBLEM), method, wb.Budget(budget), seed)


def straight(method=METHODS[0], budget=2_000):
    whole = attempt(method, budget)
    whole.run()
    return whole


def timeless(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.fixture
def stopped(tmp_path):
    """A run of 32 steps that was stopped after 10, with checkpoints every 4."""
    with Run.start(tmp_path / "run", "estimate", attempt(), every=4) as run:
        list(islice(run.walk(), 10))
    return tmp_path / "run"


@each_method
@pytest.mark.parametrize("every", [1, 3])
def test_a_run_cut_short_again_and_again_ends_as_the_straight_one(tmp_path, method, every):
    whole = straight(method)
    Run.start(tmp_path / "a", "estimate", attempt(method), every).close()
    lives = 0
    while True:
        with Run.resume(tmp_path / "a") as run:
            took = len(list(islice(run.walk(), 3)))
            if run.finished:
                break
        lives += 1
        assert took == 3 and run.folder.mark.steps == 3 * lives  # closing it saved the third
    assert equal(run.subject.state, whole.state)
    assert run.subject.estimate().log10_p == whole.estimate().log10_p
    with Run.start(tmp_path / "b", "estimate", attempt(method)) as run:
        run.finish()
    with Run.resume(tmp_path / "b") as other:
        assert timeless(other.rows) == timeless(run.rows)
        assert [row["steps"] for row in other.rows] == list(range(1, whole.state.steps + 1))


def test_a_finished_run_takes_no_more_steps(tmp_path):
    with Run.start(tmp_path / "a", "estimate", attempt()) as run:
        run.finish()
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    with Run.resume(tmp_path / "a") as run:
        assert run.finished and list(run.walk()) == []
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == before


def test_a_budget_of_seconds_is_shared_by_all_lives(tmp_path):
    timed = Attempt(wb.load(PROBLEM), METHODS[0], wb.Budget(None, 0.2), 0)
    Run.start(tmp_path / "a", "estimate", timed).close()
    with Run.resume(tmp_path / "a") as run:
        list(islice(run.walk(), 1))
        run.subject.seconds = 0.3
        run.save()
    with Run.resume(tmp_path / "a") as again:
        assert again.subject.seconds == 0.3 and len(list(again.walk())) <= 1


class Crash(Exception):
    """Stands for the loss of the process."""


def test_a_crash_at_any_write_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    """The process ends at the k-th wait for the disk, for every k that a save has."""
    sync, whole, crashes = os.fsync, straight(), 0
    for k in range(100):
        place = tmp_path / str(k)
        Run.start(place, "estimate", attempt(), every=4).close()
        left = [k]

        def fail(handle, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            sync(handle)

        monkeypatch.setattr(os, "fsync", fail)
        run = Run.resume(place)
        try:
            list(islice(run.walk(), 9))
        except Crash:
            crashes += 1
        monkeypatch.setattr(os, "fsync", sync)
        if k % 2:
            run.folder.close()  # the process is gone
        else:
            run.close()  # only its disk was full for a while
        with Run.resume(place) as again:
            steps = again.subject.state.steps
            assert len(again.rows) == steps and (k % 2 == 0 or steps in (0, 4, 8, 9))
            again.finish()
            assert equal(again.subject.state, whole.state)
            assert len(again.folder.rows) == whole.state.steps
        if left[0] >= 0:
            break
    assert crashes >= 9 and (place / METRICS).read_bytes().count(b"\n") == whole.state.steps


def test_a_half_written_line_and_stray_files_are_cut_off(stopped):
    whole = (stopped / METRICS).read_bytes()
    with (stopped / METRICS).open("ab") as file:
        file.write(b'{"steps": 11, "log10')
    (stopped / ".checkpoint.json.abc").write_bytes(b"{")
    (stopped / "state-00000011-00000000.safetensors").write_bytes(b"half")
    Folder.open(stopped).close()
    assert (stopped / METRICS).read_bytes() == whole
    names = {p.name for p in stopped.iterdir()}
    assert len(names) == 7 and not any(n.startswith(".") or "00000011" in n for n in names)


def files(place):
    return sorted(p for p in place.iterdir() if p.name != "lock")


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_every_damaged_file_is_one_clear_sentence(stopped, damage):
    assert len(files(stopped)) == 6
    for path in files(stopped):
        whole = path.read_bytes()
        middle = len(whole) // 2
        match damage:
            case "cut":
                path.write_bytes(whole[:-3])
            case "flip":
                path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
            case "empty":
                path.write_bytes(b"")
            case "gone":
                path.unlink()
        wanted = BadInput if (path.name, damage) == (RUN, "gone") else StaleRun
        with pytest.raises(wanted) as error:
            Run.resume(stopped)
        assert path.name in str(error.value) and "\n" not in str(error.value)
        (row,) = shelf(stopped) if wanted is StaleRun else [{"standing": "damaged"}]
        assert row["standing"] == "damaged"
        path.write_bytes(whole)
    with Run.resume(stopped) as run:  # mended, and no refusal kept a hold on it
        assert run.subject.state.steps == 10


def test_a_newer_run_is_refused(stopped):
    raw = json.loads((stopped / RUN).read_text())
    (stopped / RUN).write_text(json.dumps({**raw, "version": VERSION + 1}))
    with pytest.raises(StaleRun, match=f"run format {VERSION + 1} and this workbench reads"):
        Run.resume(stopped)
    (stopped / RUN).write_text('{"format": "other"}')
    with pytest.raises(BadInput, match="does not describe a run"):
        Run.resume(stopped)


def sealed(folder, name, **changes):
    """Alter a file as the workbench itself would write it."""
    from workbench.experiments import folder as module

    raw = json.loads((folder / name).read_text())
    raw.pop("sha256")
    (folder / name).write_bytes(module._sealed({**raw, **changes}))


@pytest.mark.parametrize(
    "name, changes, sentence",
    [
        (RUN, {"kind": "dream"}, "knows no runs of kind 'dream'"),
        (
            RUN,
            {"config": {"settings": {"type": "Gone", "depth": 3}, "budget": {}}},
            "no 'Gone' with",
        ),
        (
            RUN,
            {"config": {"settings": {"type": "GLD", "depth": 3}, "budget": {}}},
            "the settings d",
        ),
        (RUN, {"files": {"../x": "0"}}, "names a file outside itself"),
        (CHECKPOINT, {"state": "../x"}, "names a file outside itself"),
        (CHECKPOINT, {"state": "\n"}, "names a file that no run has"),
        (CHECKPOINT, {"more": 1}, "other fields than a checkpoint"),
    ],
)
def test_what_this_workbench_cannot_make_again_is_refused(stopped, name, changes, sentence):
    sealed(stopped, name, **changes)
    with pytest.raises(StaleRun, match=sentence):
        Run.resume(stopped)


def test_a_folder_that_is_taken_is_left_alone(tmp_path, stopped):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "full", tmp_path / "file", stopped):
        with pytest.raises(BadInput, match="is taken"):
            Run.start(place, "estimate", attempt())
    (tmp_path / "empty").mkdir()
    Run.start(tmp_path / "empty", "estimate", attempt()).close()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    for every in (0, -1, 2.5):
        with pytest.raises(BadInput, match="every must be a positive"):
            Run.start(tmp_path / "new", "estimate", attempt(), every=every)
    for place in (tmp_path / "new", tmp_path):
        with pytest.raises(
            BadInput,
            match=r"does not exist|is no run but a folder of 2: .*empty",
        ):
            Run.resume(place)


def test_only_one_process_holds_a_run(stopped):
    with Run.resume(stopped) as run:
        assert shelf(stopped)[0]["standing"] == "running"
        with pytest.raises(BadInput, match="another process is at work"):
            Run.resume(stopped)
        assert run.folder.held
    assert shelf(stopped)[0]["standing"] == "stopped"


def test_a_run_that_nobody_may_write_to_is_not_held(stopped):
    """A look leaves nothing behind, where it could not."""
    (stopped / "lock").unlink()
    assert shelf(stopped)[0]["standing"] == "stopped"
    assert not (stopped / "lock").exists()


def test_infinities_survive_the_metrics(tmp_path):
    state, rows = State(rng=wb.Rng(0)), [{"log10_p": float("-inf"), "n": [float("inf"), None]}]
    config, data = {"a": float("inf")}, {"x.bin": b"\x00"}
    Folder.create(tmp_path / "a", "estimate", config, data, state, rows=rows).close()
    with Folder.open(tmp_path / "a") as kept:
        assert kept.rows == rows and kept.config == config and kept.file("x.bin") == b"\x00"
        assert equal(kept.state(State), state)


def test_runs_and_resume_on_the_command_line(tmp_path):
    words = ("estimate", PROBLEM, "-e", "subset", "--budget", "5000")
    first = ask(*words, "--run", tmp_path / "a", "--every", 3)
    assert list(first) == KEYS
    assert ask("resume", tmp_path / "a") == first
    assert refuse(*words, "--run", tmp_path / "a").count("is taken") == 1
    with Run.start(tmp_path / "deep" / "b", "estimate", attempt()) as run:
        list(islice(run.walk(), 2))
    table = workbench("runs", tmp_path).stdout
    assert "finished" in table and "stopped" in table and "monte_carlo on A_d10_1e-3" in table
    found = ask("runs", tmp_path)["runs"]
    assert [(r["standing"], r["kind"]) for r in found] == [
        ("finished", "estimate"), ("stopped", "estimate"),
    ]  # fmt: skip
    assert ask("resume", tmp_path / "deep" / "b")["log_p"] == float(straight().estimate().log_p)
    (tmp_path / "a" / METRICS).write_bytes(b"")
    assert "was cut or altered" in " ".join(workbench("runs", tmp_path).stdout.split())
    assert "metrics.jsonl was cut or altered" in refuse("resume", tmp_path / "a")
    assert "is no folder" in refuse("runs", tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    assert "There are no runs" in workbench("runs", tmp_path / "bare").stdout


def test_ctrl_c_leaves_a_run_to_go_on_with(tmp_path, monkeypatch):
    class Impatient(command.Bar):
        def update(self, share, label=None):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(command, "Bar", Impatient)
        words = ("estimate", PROBLEM, "-e", "subset", "--budget", "5000", "--run", tmp_path / "a")
        workbench(*words, code=130)
    assert Folder.look(tmp_path / "a").mark.steps == 1
    whole = Attempt(wb.load(PROBLEM), wb.Subset(), wb.Budget(5000), 0)
    whole.run()
    assert ask("resume", tmp_path / "a")["log_p"] == float(whole.estimate().log_p)


@pytest.mark.slow
def test_twenty_kills_lose_no_more_than_an_interval(tmp_path):
    """Of runs of 200 steps, at random moments; the end equals the straight run's bit for bit."""
    whole = straight(budget=200 * 64)
    assert whole.state.steps == 200

    def start(place):
        return Run.start(place, "estimate", attempt(budget=200 * 64), every=5)

    places = kill_again_and_again(start, tmp_path, kills=20, longest=0.25)
    for place in places:
        with Run.resume(place) as run:
            assert run.finished and equal(run.subject.state, whole.state)
