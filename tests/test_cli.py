"""The command line as a user meets it: objects, tables, sentences, exit codes, Ctrl-C."""

import importlib.util
import json
import math
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from commands import KEYS, ask, one_object, refuse, workbench

import workbench as wb
from workbench import bench, catalogue, estimators
from workbench.cli import extras, settings, start
from workbench.cli.listing import GROUPS
from workbench.cli.settings import build
from workbench.errors import BadInput
from workbench.estimators import ALL
from workbench.problem import Card

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Nothing(wb.MonteCarlo):
    """Settings of every type, for `--set`."""

    flag: bool = False
    limit: float | None = None
    name: ClassVar[str] = "nothing"


def test_estimate_is_the_library_s():
    found = ask("estimate", "A_d10_1e-12", "-e", "moments")
    assert list(found) == KEYS
    want = wb.Moments()(wb.load("A_d10_1e-12"))
    assert found["log_p"] == want.log_p.detach().item()
    assert found["log10_p"] == pytest.approx(-12.0, abs=1e-6)
    assert found["log_err"] is None
    assert found["settings"] == {"propagator": "covariance", "tail": "gaussian", "order": 8}
    assert (found["problem"], found["estimator"], found["seed"]) == ("A_d10_1e-12", "moments", 0)
    assert found["kind"] == "heuristic"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("digits", "conditioned"), ("F_digits_1e-6", "ratio"), ("G_free_1e-6", "mean_field"),
        ("G_network_1e-6", "partition"), ("T_char2_line_1e-5", "leaves"),
        ("L_delete_1e-7", "transitions"), ("algzoo_argmax_h2_n2", "last_input"),
        ("E_product_1e-6", "subset"),
    ],
)  # fmt: skip
def test_what_is_named_by_none_is_estimated_by_the_first_choice(name, first):
    problem = wb.load(name)
    assert wb.first_choice(problem).name == first
    found = ask("estimate", name, "--budget", 300)
    assert found["estimator"] == first


def test_the_first_choice_falls_back_on_what_samples():
    class Steps(wb.Spec):
        def margin(self, x, y):
            return (y[:, 0] > 1.0).double() - 0.5

    d = wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double())
    assert wb.first_choice(wb.Problem(d, torch.nn.Identity(), Steps())).name == "subset"


def test_estimate_takes_budget_seed_and_settings():
    words = ["-e", "monte_carlo", "--budget", "3e3", "--seed", 7, "--set", "batch=500"]
    found = ask("estimate", "A_d10_1e-3", *words)
    want = wb.MonteCarlo(batch=500)(wb.load("A_d10_1e-3"), 3000, 7)
    assert found["log10_p"] == want.log10_p and found["forwards"] == 3000
    assert found["settings"] == {"batch": 500} and found["seed"] == 7
    assert found["info"]["log10_interval"] == list(want.log10_interval)


def test_infinities_are_strings():
    found = ask("estimate", "A_d10_1e-20", "-e", "monte_carlo", "--budget", 2000)
    assert (found["log_p"], found["log10_p"], found["log_err"]) == ("-inf", "-inf", "inf")
    low, high = found["info"]["log10_interval"]
    assert low == "-inf" and high == pytest.approx(math.log10(-math.expm1(math.log(0.025) / 2000)))


def test_seconds_alone_are_a_budget():
    found = ask("estimate", "A_d10_1e-3", "-e", "gld", "--seconds", 0.05)
    # The budget is wall clock; a run counts the seconds of its own steps.
    assert found["forwards"] > 0 and found["seconds"] >= 0.04
    both = ask("estimate", "A_d10_1e-3", "-e", "gld", "--seconds", 60, "--budget", 100)
    assert both["forwards"] == 100


def test_estimate_of_a_card_on_disk(tmp_path):
    card = wb.load("A_d10_1e-6").save(tmp_path)
    assert ask("estimate", card)["log10_p"] == pytest.approx(-6.0, abs=1e-6)


def test_estimate_reads_well():
    shown = workbench("estimate", "C_digits_p1_s10", "-e", "subset", "--budget", 20_000).stdout
    assert re.search(r"^estimate +10\^-\d\.\d+ ± 0\.\d+ digits", shown, re.MULTILINE)
    assert re.search(r"^truth +10\^-6\.7255 ± 9e-04", shown, re.MULTILINE)
    blind = workbench("estimate", "A_d10_1e-20", "-e", "monte_carlo", "--budget", 500).stdout
    assert "blind" in blind and "0 to 10^-2.13" in blind
    weights = workbench("estimate", "digits", "-e", "conditioned").stdout
    assert re.search(r"\(no error bar; perhaps 0\.0\d+ digits off\)", weights)
    assert "1,2" in weights.split("cost")[1]  # as README.md has it


@pytest.mark.parametrize("cls", estimators.ALL, ids=lambda c: c.name)
def test_every_setting_has_a_type_that_set_can_parse(cls):
    default = cls()
    words = [f"{key}={value}" for key, value in default.settings().items()]
    assert build(cls.name, words) == default


def test_settings_are_parsed_by_their_type(monkeypatch):
    monkeypatch.setattr(estimators, "ALL", (Nothing,))
    made = build("nothing", ["batch=1e3", "flag=yes", "limit=0.25"])
    assert made == Nothing(1000, True, 0.25) and type(made.batch) is int
    assert build("nothing", ["flag=0", "limit=none"]) == Nothing()
    for text in ("flag=perhaps", "limit=__import__('os')", "batch=1.5", "batch=nan", "batch"):
        with pytest.raises(BadInput):
            build("nothing", [text])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "No such command 'nope'"),
        (["--nope"], "No such option"),
        (["estimate"], "Missing argument 'PROBLEM'"),
        (["estimate", "A_d10_1e-6", "--nope"], "No such option"),
        (["estimate", "nope"], "no problem and no card is called 'nope'"),
        (["estimate", "digit"], "did you mean digits, "),
        (["estimate", "no/such.json"], "there is no card 'no/such.json': `problem.save"),
        (["estimate", "data/problems/digit.json"], "did you mean data/problems/digits.json"),
        (["estimate", "data/problems/digits.safetensors"], "tensors alone: give the card beside"),
        (["estimate", "digits", "--run", "README.md/run"], "README.md' cannot be made: a file is"),
        (["compare", "digits", "--estimators", "moments", "--out", "/proc/x.csv"], "/proc/x.csv: "),
        (["estimate", "A_d10_1e-6", "-e", "subsets"], "did you mean subset"),
        (["estimate", "A_d10_1e-6", "--set", "ordre=2"], "summits, lines, tolerance"),
        (["estimate", "A_d10_1e-6", "--set", "lines"], "reads key=value, got 'lines'"),
        (["estimate", "A_d10_1e-6", "--set", "lines=two"], "a whole number, got 'two'"),
        (
            ["estimate", "A_d10_1e-6", "-e", "moments", "--set", "order=99"],
            "must be 1 to 40, got 99",
        ),
        (["estimate", "A_d10_1e-6", "--budget", "lots"], "a whole number, got 'lots'"),
        (["estimate", "A_d10_1e-6", "--budget", "0"], "at least one forward pass"),
        (["estimate", "A_d10_1e-6", "--seconds", "-1"], "a positive number of seconds"),
        (["estimate", "A_d10_1e-6", "--seed", "x"], "a whole number, got 'x'"),
        (["compare", "A_d10_1e-6", "--estimators", "moments,nope"], "'nope'"),
        (["compare", "A_d10_1e-6", "--seeds", "0"], "--seeds must be at least 1"),
        (["compare", "A_d10_1e-6", "--plot", "/no/such/folder/x.html"], "does not exist"),
        (["life", "--generations", "0"], "--generations must be at least 1, got 0"),
        (["life", "--side", "65"], "--side of a plane must be a multiple of 64, got 65"),
        (["life", "--side", "32"], "--side must be at least 64, got 32"),
        (["life", "--against", "3x3"], "--against is one of cell, pair, 2x2, got '3x3'"),
        (["list", "cats"], "use one of estimators, families, problems"),
        (["bench", "nope"], f"use one of {', '.join(b.name for b in bench.ALL)}"),
        (["serve", "--port", "99999"], "ports are 0 to 65535"),
    ],
)
def test_bad_input_is_one_sentence(words, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert said in refuse(*words)
    assert said in refuse(*words, "--json")


def test_whole_numbers_keep_all_their_digits():
    assert settings.whole("9007199254740993") == 2**53 + 1
    assert settings.whole("1e5") == 100_000 and settings.whole(" -3 ") == -3


def test_debug_shows_where():
    result = workbench("estimate", "nope", "--debug", code=2)
    assert "Traceback" in result.stderr and result.stderr.count("workbench: ") == 1


def test_a_fault_is_a_sentence_too(monkeypatch):
    def broken(*_):
        raise KeyError("x")

    monkeypatch.setattr(wb.Conditioned, "step", broken)
    result = workbench("estimate", "A_d10_1e-6", code=2)
    assert "fault of the workbench: KeyError" in result.stderr and "Traceback" not in result.stderr


def test_list_shows_every_group():
    everything = ask("list")
    assert list(everything) == list(GROUPS)
    for group in GROUPS:
        items = ask("list", group)
        assert list(items) == [group] and items[group] == everything[group]
        shown = workbench("list", group).stdout
        assert items[group] and all(i["name"] in shown and i["about"] for i in items[group])
    assert "ESTIMATORS" in workbench("list").stdout


def test_list_describes_estimators_and_problems():
    found = {e["name"]: e for e in ask("list", "estimators")["estimators"]}
    assert list(found) == [cls.name for cls in estimators.ALL]
    moments = found["moments"]
    assert moments["settings"][-1] == {"name": "order", "type": "int", "default": 8}
    assert (moments["kind"], moments["grad"]) == ("heuristic", "pathwise")
    assert moments["needs"] == {
        "distribution": ["Moments"], "spec": ["Polyhedral"], "readable": True,
    }  # fmt: skip
    problems = {p["name"]: p for p in ask("list", "problems")["problems"]}
    assert list(problems) == catalogue.every()
    assert problems["A_d10_1e-6"]["truth"]["log10_p"] == pytest.approx(-6.0, abs=1e-6)


def test_without_the_views_a_plot_says_what_to_install(monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        extras.importlib.util, "find_spec", lambda name: None if name == "plotly" else found(name)
    )
    said = refuse("compare", "A_d10_1e-3", "--plot", tmp_path / "out.html")
    assert "without plotly" in said and "pip install 'catastrophe-workbench[views]'" in said


def test_bench_lists_runs_and_prints(monkeypatch):
    monkeypatch.setattr(bench.peers, "installed", list)  # the extra is another test's subject
    monkeypatch.setattr(estimators, "ALL", (wb.Moments, wb.MonteCarlo, wb.GLD))
    assert [b["name"] for b in ask("bench")["benches"]] == [b.name for b in bench.ALL]
    found = ask("bench", "truth", "--quick")
    assert found["bench"] == "truth" and found["quick"] is True
    assert len(found["rows"]) == 4 * len(estimators.ALL)
    shown = workbench("bench", "truth", "--quick").stdout
    assert "A_d10_1e-12" in shown and "moments: 4 problems" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_bench_runs_in_parts_and_keeps_every_row(tmp_path):
    out = tmp_path / "rows.jsonl"
    part = ["--problems", "A_d10_1e-3", "--methods", "moments,gld", "--seeds", 2, "--budget", 500]
    rows = ask("bench", "truth", *part, "--out", out)["rows"]
    assert [json.loads(line) for line in out.read_text().splitlines()] == rows
    assert [row["estimator"] for row in rows] == ["moments", "gld"]
    assert "no parts to choose" in refuse("bench", "throughput", "--seeds", 2)
    assert "at least 1" in refuse("bench", "truth", "--seeds", 0)


def test_schema_is_the_card_s():
    assert ask("schema") == Card.model_json_schema()
    assert json.loads(workbench("schema").stdout) == Card.model_json_schema()


def test_help_and_version():
    assert workbench("--version").stdout.strip() == wb.__version__
    for words in ([], ["--help"]):
        shown = workbench(*words).stdout
        assert all(c in shown for c in ("list", "estimate", "compare", "bench", "serve", "lab"))


@pytest.fixture
def fake_app(monkeypatch):
    """A stand-in for the app, which notes how it is served."""
    calls = []
    app = SimpleNamespace(serve=lambda **how: calls.append(how))
    monkeypatch.setitem(sys.modules, "workbench.views.app", app)
    monkeypatch.setattr(start, "need_views", lambda what: None)
    return calls


def test_serve_starts_the_app(fake_app):
    found = ask("serve", "--port", "0", "--no-browser")
    assert found["url"] == f"http://localhost:{found['port']}/" and found["port"] > 0
    how = {"address": "localhost", "token": ""}
    assert fake_app == [{"port": found["port"], "show": False, **how}]


def test_serve_names_a_port_that_is_taken(fake_app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} cannot be used" in refuse("serve", "--port", port)
    assert fake_app == []


def test_lab_opens_the_tour(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(start.os, "execve", lambda *how: started.append(how))
    monkeypatch.setattr(start, "need", lambda *how: None)
    monkeypatch.setattr(start, "notebook_root", lambda: tmp_path)
    found = ask("lab", "--no-browser", "--port", 8890)
    (program, command, env) = started[0]
    assert program == sys.executable and command == found["command"]
    assert "--LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb" in command
    assert {"--no-browser", "--port=8890", f"--ServerApp.root_dir={tmp_path}"} <= set(command)
    assert env["PANEL_INLINE"] == "true"


def test_lab_without_the_notebook_says_where_it_is(monkeypatch):
    monkeypatch.setattr(start, "need", lambda *how: None)
    monkeypatch.setattr(start, "NOTEBOOK", Path("notebooks") / "nothing.ipynb")
    assert "clone the repository and run `make lab`" in refuse("lab")


def test_an_interrupt_prints_the_best_so_far(monkeypatch):
    whole = wb.MonteCarlo.step

    def step(self, problem, state):
        if state.steps == 3:
            raise KeyboardInterrupt
        return whole(self, problem, state)

    monkeypatch.setattr(wb.MonteCarlo, "step", step)
    words = ("estimate", "A_d10_1e-3", "-e", "monte_carlo", "--set", "batch=1000", "--seed", 1)
    found = one_object(workbench(*words, "--json", code=130).stdout)
    want = wb.MonteCarlo(batch=1000)(wb.load("A_d10_1e-3"), 3000, 1)
    assert found["log10_p"] == want.log10_p and found["forwards"] == 3000
    assert found["info"]["interrupted"] is True
    shown = workbench(*words, code=130)
    assert "3,000 forward passes" in shown.stdout and "best estimate so far" in shown.stderr
    compared = workbench("compare", "A_d10_1e-3", "--json", code=130)
    rows = one_object(compared.stdout)["rows"]
    names = [cls.name for cls in ALL]
    assert [r["estimator"] for r in rows] == names[: names.index("monte_carlo") + 1]
    assert rows[-1]["interrupted"] is True


def test_an_interrupt_before_the_first_step_says_so(monkeypatch):
    def step(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(wb.Conditioned, "step", step)
    result = workbench("estimate", "A_d10_1e-3", "--json", code=130)
    assert result.stdout == "" and "no estimate yet" in result.stderr
