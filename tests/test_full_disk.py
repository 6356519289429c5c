"""A disk that is full and a folder that is read-only: one sentence, and what was there stays."""

import dataclasses
import errno
import os
import pathlib
from itertools import islice

import pytest
import torch
from commands import ask, refuse

import workbench as wb
from workbench.experiments import Attempt, Run

WORDS = {
    "compare": ("compare", "A_d10_1e-3", "--estimators", "moments", "--seeds", "1", "--out"),
    "plot": ("compare", "A_d10_1e-3", "--estimators", "moments", "--seeds", "1", "--plot"),
    "sweep": ("sweep", "A_d10_1e-3", "--estimators", "moments", "--workers", "1", "--out"),
}
NAMES = {"compare": "a.csv", "plot": "a.html", "sweep": "a.csv"}


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_only(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


class FullFile:
    """What `os.fdopen` gives on a disk that takes half of what is written."""

    def __init__(self, handle, mode):
        self.file = open(handle, mode)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        full()


FAILURES = {
    "write": (os, "fdopen", FullFile, "No space left"),
    "fsync": (os, "fsync", full, "No space left"),
    "replace": (pathlib.Path, "replace", full, "No space left"),
    "open": (wb.problem.atomic.tempfile, "mkstemp", read_only, "Read-only"),
}
each_failure = pytest.mark.parametrize("failure", list(FAILURES))


def break_(monkeypatch, failure):
    """Let that step fail; what the sentence says."""
    where, name, instead, said = FAILURES[failure]
    monkeypatch.setattr(where, name, instead)
    return said


@each_failure
@pytest.mark.parametrize("command", ["compare", "plot"])
def test_what_a_command_writes(tmp_path, monkeypatch, failure, command):
    path = tmp_path / NAMES[command]
    path.write_text("former")
    with monkeypatch.context() as patched:
        said = break_(patched, failure)
        assert said in refuse(*WORDS[command], path)
    assert path.read_text() == "former" and list(tmp_path.iterdir()) == [path]
    ask(*WORDS[command], path)
    assert path.read_text() != "former"


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    target, link = tmp_path / "b.csv", tmp_path / "a.csv"
    link.symlink_to(target)
    ask(*WORDS["compare"], link)
    assert link.is_symlink() and target.read_text().startswith("problem,")
    pipe = tmp_path / "null.csv"
    pipe.symlink_to("/dev/null")
    ask(*WORDS["compare"], pipe)
    assert pathlib.Path("/dev/null").is_char_device()


def test_a_folder_in_place_of_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "a.csv").mkdir()
    assert "is a folder" in refuse(*WORDS["compare"], tmp_path / "a.csv")


@each_failure
def test_a_card(tmp_path, monkeypatch, failure):
    problem = wb.load("A_d10_1e-3")
    path = problem.save(tmp_path / "card")
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    with monkeypatch.context() as patched:
        said = break_(patched, failure)
        with pytest.raises(OSError, match=said):
            wb.load("A_d10_1e-6").save(tmp_path / "card")
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before
    assert wb.Problem.load(path).truth.log10_p == problem.truth.log10_p


def test_a_card_whose_tensors_just_fitted(tmp_path, monkeypatch):
    """The disk is full at the k-th wait for it: the former card still has its own tensors."""
    problem = wb.load("A_d10_1e-3")
    path = problem.save(tmp_path)
    moved = problem.vary(wb.Gaussian(torch.ones(10), torch.ones(10)))
    other = dataclasses.replace(moved, name=problem.name)
    sync, left = os.fsync, [0]

    def fill(handle):
        left[0] -= 1
        if left[0] < 0:
            full()
        sync(handle)

    for k in range(2):
        left[0] = k
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fill)
            with pytest.raises(OSError, match="No space left"):
                other.save(tmp_path)
        assert wb.Problem.load(path).truth.log10_p == problem.truth.log10_p


@each_failure
def test_a_run(tmp_path, monkeypatch, failure):
    attempt = Attempt(wb.load("A_d10_1e-3"), wb.MonteCarlo(batch=64), wb.Budget(2_000), 3)
    with Run.start(tmp_path / "run", "estimate", attempt, every=2) as run:
        list(islice(run.walk(), 3))
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    words = ("estimate", "A_d10_1e-3", "-e", "monte_carlo", "--budget", "500", "--run")
    with monkeypatch.context() as patched:
        said = break_(patched, failure)
        assert said in refuse("resume", tmp_path / "run")
        assert said in refuse(*words, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    after = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    assert after["run.json"] == before["run.json"]
    assert after["checkpoint.json"] == before["checkpoint.json"]
    assert ask("resume", tmp_path / "run")["forwards"] == 2_000


def test_a_full_disk_while_a_problem_is_begun(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        break_(patched, "fsync")
        assert "No space left" in refuse("new", tmp_path / "mine")
    assert not list(tmp_path.rglob("*.py"))
