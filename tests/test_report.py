"""A run's report says what the run found, and is one page that asks for nothing."""

import json
import re
import shutil

import pytest
from commands import ask, refuse, workbench

import workbench as wb
from workbench.experiments import Folder
from workbench.experiments.kinds import KINDS
from workbench.views.report import _KINDS


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{kind: folder} of short runs, one a kind, and one over many points."""
    place = tmp_path_factory.mktemp("runs")
    subset = ("-e", "subset", "--budget", 20_000)
    workbench("estimate", "digits", *subset, "--run", place / "estimate")
    workbench("attack", "A_d10_1e-6", "--nats", 2, "--steps", 4, "--run", place / "attack")
    texts = ("--nats", 9, "--rate", 0.01, "--steps", 3, "--draws", 200)
    workbench("attack-lm", "L_zap_1e-7", *texts, "--run", place / "attack_lm")
    workbench("train", "digits_average", "--steps", 12, "--run", place / "average")
    workbench("train", "plane", "--steps", 4, "--target", -6, "--run", place / "train")
    workbench("hush", "L_zap_1e-7", "--steps", 3, "--run", place / "hush")
    return place


def markup(page):
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("kind", ["estimate", "attack", "attack_lm", "train", "average", "hush"])
def test_a_report_is_one_page_with_problem_settings_and_provenance(runs, kind, tmp_path):
    told = ask("report", runs / kind, "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert told["report"].endswith("report.html")
    assert "Plotly.newPlot" in page
    assert not re.search(r"<script[^>]*src", page)
    shown = markup(page)
    assert "src=" not in shown and "href=" not in shown
    for digest in Folder.look(runs / kind).manifest["files"].values():
        assert digest in shown
    assert "Settings" in shown and "Provenance" in shown


def test_the_sentence_is_the_last_checkpoint_s(runs, tmp_path):
    ask("report", runs / "estimate", "--out", tmp_path / "report.html")
    last = Folder.look(runs / "estimate").rows[-1]
    shown = markup((tmp_path / "report.html").read_text()).replace("−", "-")
    assert f"10<sup>{last['log10_p']:.2f}</sup>" in shown
    assert f"{last['forwards']:,} forward passes" in shown


@pytest.mark.parametrize(
    "words, said",
    [
        (("-e", "moments"), r"\(heuristic, no error bar\), from 1 forward pass of the model"),
        (("-e", "monte_carlo", "--budget", 100), "Beware: not found within this budget, which"),
        (("-e", "importance", "--budget", 30), "Beware: the budget does not hold a search"),
    ],
)
def test_what_an_estimate_promises_and_warns_of_is_said(words, said, tmp_path):
    workbench("estimate", "A_d10_1e-6", *words, "--run", tmp_path / "run")
    ask("report", tmp_path / "run")
    assert re.search(said, markup((tmp_path / "run.html").read_text()))


def test_exact_probabilities_of_an_attack_are_said_to_be_exact(tmp_path):
    words = ("--source", "tilted", "--nats", 4, "--steps", 1, "--draws", 20)
    workbench("attack-lm", "L_zap_1e-7", *words, "--run", tmp_path / "run")
    ask("report", tmp_path / "run")
    assert "in 1 step and 20 forward passes. Both are exact" in markup(
        (tmp_path / "run.html").read_text()
    )


def test_every_kind_of_run_has_its_words():
    assert set(_KINDS) == {kind.name for kind in KINDS}


def test_a_page_lies_beside_its_run_unless_told_otherwise(runs):
    assert "train.html" in workbench("report", runs / "train").output
    assert (runs / "train.html").exists()


def test_what_is_no_whole_run_is_refused(runs, tmp_path):
    assert "no run" in refuse("report", tmp_path)
    broken = shutil.copytree(runs / "estimate", tmp_path / "broken")
    metrics = (broken / "metrics.jsonl").read_bytes()
    (broken / "metrics.jsonl").write_bytes(metrics.replace(b"1", b"2", 1))
    assert "cut or altered" in refuse("report", broken)


def test_problems_and_estimates_show_themselves_in_notebooks():
    problem = wb.load("A_d10_1e-6")
    shown = problem._repr_html_()
    assert "A_d10_1e-6" in shown and "10<sup>−6.00</sup>" in shown
    estimate = wb.Moments()(problem)
    assert "P = 10<sup>−6.00</sup>" in estimate._repr_html_()
    none = wb.MonteCarlo()(problem, budget=1000)._repr_html_()
    assert (
        "P &lt; 10<sup>−2.43</sup> (95%), as nothing failed</b>" in none
        and "0 to 10<sup>−2.43</sup>" in none
    )


def test_names_are_text_in_what_notebooks_show():
    problem = wb.load("A_d10_1e-6")
    named = wb.Problem(problem.distribution, problem.model, problem.spec, name="<img src=x>")
    assert "<img" not in named._repr_html_() and "&lt;img" in named._repr_html_()
    assert json.dumps(named.card.name) == '"<img src=x>"'
