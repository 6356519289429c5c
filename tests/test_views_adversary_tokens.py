"""The room Adversary on tokens and on text: what serves them, and what D looks like."""

import math

import pytest
import torch
from test_short_text import every, text
from test_views_adversary import search

from workbench.math.transitions import marginals
from workbench.views import adversary_pictures, adversary_plots, adversary_words
from workbench.views.adversary_screen import AdversaryScreen
from workbench.views.adversary_session import AdversarySession
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
        assert "Columns are positions" in adversary_words.picture_sentence(
            session.problem, attack, session.checked
        )
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
        for n in ("this search", "no D gains more", "checked by a sampler")
    )
    start = attack.found.reference / math.log(10)
    assert own["y"][-1] == pytest.approx((attack.log10_p - start) / attack.nats)
    # A Gaussian moved to the half-space is near the best that any D can do, and never above.
    nats, worth = torch.tensor(own["x"]), torch.tensor(own["y"])
    bound = torch.tensor(most["y"])[torch.searchsorted(torch.tensor(most["x"]), nats).clamp(max=59)]
    assert bool((worth < 1.2 * bound).all()) and float(worth[-1] / bound[-1]) > 0.3
    assert len(checked["x"]) == len(checks)
