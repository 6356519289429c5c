"""Screens on problems whose D cannot be sampled, and on those whose C is a network's word."""

import pytest
import torch

import workbench as wb
from workbench import catalogue
from workbench.distributions import varied
from workbench.views import about, adversary_session, coherence_session
from workbench.views.adversary_session import AdversarySession
from workbench.views.coherence_session import CoherenceSession
from workbench.views.screen import Explore
from workbench.views.state import Session
from workbench.views.widgets import ExploreWidgets

NETWORK, SPINS = "G_network_1e-6", "G_glass_b10_1e-6"
FACES = (Explore, ExploreWidgets)


@pytest.fixture(params=FACES, ids=lambda face: face.__name__)
def face(request):
    session = Session(NETWORK)
    yield request.param(session)
    session.close()


def test_monte_carlo_cannot_be_started_and_says_why(face):
    assert face.run.disabled and "cannot be sampled" in face.uncountable.value
    face.play()  # as the room does when it is entered
    assert face.session.running and not face.session.counting
    assert "monte_carlo" not in face.session.worker.results
    face.session.choose("A_d10_1e-3")
    face.session.settle()
    face.paint()
    assert not face.uncountable.value or not getattr(face.uncountable, "visible", True)


def test_sliders_stretch_what_weighs_a_base_and_warm_spins(face):
    session = face.session
    session.param.update(sigma=2.0, lean=1.0, direction="random")
    law, was = session.problem.distribution, session.reference.distribution
    assert torch.equal(law.base.scale, 2.0 * was.base.scale) and law.network is was.network
    session.choose(SPINS)
    face.paint()
    session.sigma = 2.0
    assert session.problem.distribution.beta == 0.5 * session.reference.distribution.beta
    assert list(session.fixed) == ["lean"] and "-1 or 1" in face.fixed.value
    slider = face.dials["lean"].slider if isinstance(face, Explore) else face.sliders["lean"]
    assert slider.disabled and face.direction.disabled


def test_a_warmed_glass_is_nearer_to_independent_spins():
    """At a temperature without end every state is as likely as any other."""
    problem = wb.load(SPINS)
    d = problem.distribution
    hot = problem.vary(distribution=varied(d, 1e9, torch.zeros(d.dim).double()))
    even = problem.vary(
        distribution=wb.Discrete(
            torch.tensor([[-1.0, 1.0]] * d.dim).double(), torch.ones(d.dim, 2).double()
        )
    )
    exact = wb.Enumeration()(even, 2**d.dim).log10_p
    assert wb.Enumeration()(hot, 2**d.dim).log10_p == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("name", ["H_trusted", "H_probe"])
def test_rooms_say_how_often_a_judge_errs(name):
    problem = wb.load(name)
    said = about.about(problem)
    assert problem.stated[1].record in said and "not the truth" in said
    raised = problem.vary(spec=problem.spec.shift(0.5))
    assert problem.stated[1].record not in about.about(raised)
    assert "word of" not in about.about(wb.load("digits"))


@pytest.mark.parametrize(
    ("make", "room"), [(AdversarySession, adversary_session), (CoherenceSession, coherence_session)]
)
def test_rooms_list_what_one_of_their_methods_serves(make, room):
    listed = make().known.names
    numbers = catalogue.names() + catalogue.token_names() + catalogue.tiny_names()
    everything = numbers + catalogue.short_text_names() + catalogue.prompted_names()
    assert listed == [n for n in everything if room.serves(wb.load(n))]
    assert {"digits", "B_w32_h2_1e-3", "E_product_1e-6"} <= set(listed) < set(everything)


def test_what_a_visitor_brings_is_listed_even_where_nothing_serves_it():
    session = AdversarySession(SPINS)
    assert session.known.names[0] == SPINS
    with pytest.raises(wb.Unsupported, match="family"):
        session.play()
    session.close()
