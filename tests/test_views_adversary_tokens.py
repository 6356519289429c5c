"""The room Adversary on tokens and on text: what serves them, and what D looks like."""

import math
import re
from dataclasses import replace

import pytest
import torch
from test_short_text import every, text
from test_views_adversary import search

import workbench as wb
from workbench.adversaries.lm import LMAdversary, for_text
from workbench.experiments import Run, pursuit
from workbench.math.transitions import marginals
from workbench.views import (
    adversary_pictures,
    adversary_plots,
    adversary_words,
    text_pictures,
)
from workbench.views.adversary_screen import AdversaryScreen
from workbench.views.adversary_session import AdversarySession
from workbench.views.stepping import JOB
from workbench.views.widgets_adversary import AdversaryWidgets

FEW = {"adversary": {"steps": 5, "draws": 3000}}


def test_marginals_are_sums_over_all_texts():
    d, x = text(), every()
    found = marginals(d.log_probs, d.start, d.length).exp()
    p = d.log_prob(x).exp()
    for t in range(d.length):
        slow = torch.zeros(d.alphabet).double().index_add_(0, x[:, t], p)
        assert torch.allclose(found[t], slow, atol=1e-12)


@pytest.mark.parametrize(
    "name, family, by, least",
    [
        ("T_char1_line_1e-7", "categorical", "leaves", 2.0),
        ("L_zap_1e-7", "fine_tuned", "transitions", 1.0),
    ],
)
def test_the_room_serves_tokens_and_text(name, family, by, least):
    session = AdversarySession("A_d10_1e-6", by="moments")
    try:
        session.param.update(problem_name=name, settings=FEW)
        assert (session.family, session.by) == (family, by)
        attack = search(session)
        assert attack.log10_p > session.problem.truth.log10_p + least
        assert session.checked is not None
        html = adversary_pictures.inputs(session.problem, attack.distribution, 0)
        assert html.count("flex:1 0 44px") == session.problem.distribution.dim
        assert "draws of D₀" in html and "draws of D<" in html
        assert "Each column is a position" in adversary_words.picture_sentence(
            session.problem, attack, session.checked
        )
        for act in (session.propose, session.challenge):
            with pytest.raises(wb.Unsupported, match=f"on {name}: D0 must be a Gaussian"):
                act()
        for face in (AdversaryScreen(session), AdversaryWidgets(session)):
            face.paint()
            assert "wb-tokens" in face.gallery.value
        session.param.update(problem_name="A_d10_1e-6")
        assert session.family == "shifted" and session.by not in ("leaves", "transitions")
    finally:
        session.close()


def test_the_worth_of_a_nat_stays_below_what_any_d_can_gain():
    session = AdversarySession("A_d10_1e-6", by="moments", settings={"adversary": {"steps": 8}})
    try:
        attack = search(session)
        checks = session.checks
        made = adversary_plots.gain(attack, checks, (), "moments")
    finally:
        session.close()
    own, most, checked = (
        next(d for d in made["data"] if d["name"] == n)
        for n in ("this search", "upper limit for any D", "independent sampler")
    )
    start = attack.found.reference / math.log(10)
    assert own["y"][-1] == pytest.approx((attack.log10_p - start) / attack.nats)
    # A Gaussian moved to the half-space is near the best that any D can do, and never above.
    nats, worth = torch.tensor(own["x"]), torch.tensor(own["y"])
    bound = torch.tensor(most["y"])[torch.searchsorted(torch.tensor(most["x"]), nats).clamp(max=59)]
    assert bool((worth < 1.2 * bound).all()) and float(worth[-1] / bound[-1]) > 0.3
    assert len(checked["x"]) == len(checks)


def test_the_room_serves_a_language_model_that_learns_from_its_own_texts(tmp_path):
    few = {"lm": {"steps": 2, "draws": 12, "rate": 0.002}}
    session = AdversarySession("A_d10_1e-6", by="moments")
    try:
        before = {k: getattr(session, k) for k in ("family", "region", "limit", "settings")}
        session.problem_name = "router_small"
        assert (session.family, session.region, session.by) == ("fine_tuned", "penalty", "score")
        assert session.adversary == for_text(session.problem.distribution)
        session.settings = {**session.settings, **few}
        session.stepping.save(tmp_path / "run")
        attack = search(session)
        assert (attack.cost.forwards, session.checked.checked.info["draws"]) == (24, 120)
        assert "of 12" in (said := adversary_words.course_sentence(session)) and "of 120" in said
        # The first 12 texts show no failure: what is gained is gained on the counted truth.
        truth = session.problem.truth
        assert adversary_plots.start_of(attack) == truth.log10_p == pytest.approx(-2.34, abs=0.05)
        for face in (AdversaryScreen(session), AdversaryWidgets(session)):
            face.paint()
            assert "wb-requests" in face.gallery.value
        session.seed, session.limit = 7, 0.2
        for act in (session.stepping.reset, lambda: session.stepping.open(tmp_path / "run")):
            act()
            session.worker.wait(JOB)
        assert session.found["state"] != "error", session.found["message"]
        session.adopt()
        assert (session.seed, session.limit, session.settings["lm"]["draws"]) == (0, 0.05, 12)
        session.problem_name = "A_d10_1e-6"
        assert {k: getattr(session, k) for k in before} == before
    finally:
        session.close()


def test_words_are_marked_by_what_the_margin_loses_without_them():
    problem = wb.load("router_small")
    words = ["We", "no", "longer", "need", "the", "old", "logs"]
    text = " ".join(words)
    html = text_pictures.marked(problem, [text, "Show me the report."], "two")
    first, second = html.split("</div>")[1:3]
    assert "two: 1 of 2 fail" in html and "✗" in first and "✗" not in second
    without = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
    # Nothing was asked for throughout: the texts differ in how surely the router deletes.
    deletes = problem.model.judge([text, *without])[:, 0].tolist()
    pull = [max(0.0, deletes[0] - s) for s in deletes[1:]]
    for word, v in zip(words, pull, strict=True):
        strength = float(re.search(rf"0,([\d.]+)\)'>{word}<", first)[1])
        assert strength == pytest.approx(0.45 * v / max(pull), abs=0.006)
    assert sum(v > 0.0 for v in pull) > 1


def test_a_run_of_text_from_a_card_of_ones_own_goes_on_from_its_folder(tmp_path):
    problem = wb.load("L_zap_1e-7")
    problem.save(tmp_path / "mine.zip")
    mine = replace(wb.load(tmp_path / "mine.zip"), name="mine")
    adversary = LMAdversary(steps=2, draws=50)
    with Run.start(tmp_path / "run", "attack_lm", pursuit(mine, adversary, 0), 1) as run:
        next(run.walk())
    with Run.resume(tmp_path / "run") as again:
        assert again.subject.problem.name == "mine" and again.subject.state.steps == 1
