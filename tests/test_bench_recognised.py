"""The bench of recognised laws: its rows, and what it concludes of them."""

from workbench.bench import recognised
from workbench.errors import NotConverged


def test_ratio_is_held_to_truths_of_its_parts():
    known, drawn = recognised.run(True, lambda *_: None)
    assert known["problem"].startswith("F_") and abs(known["error"]) < 0.3
    assert abs(known["alone"]) > 1.0  # what presuming independence would cost
    assert drawn["family"] == "held out" and abs(drawn["error"]) < 0.3 + 4.0 * drawn["truth_se"]
    blank = {"family": "held out", "problem": "never", "reason": "no truth"}
    sure = [{**r, "truth_se": 0.0} for r in (known, drawn)]
    said = " ".join(recognised.conclude([*sure, blank]))
    assert "ratio, catalogue: |error|" in said and "within 0.3 on 1 of 1" in said
    assert "1 more, held out, are left out" in said


def test_pairs_are_made_anew_and_alike():
    one, again = (recognised.random_pair(4, 8, 2, 0.1, 3.0, seed=1) for _ in range(2))
    assert one.card == again.card
    other = recognised.random_pair(4, 8, 2, 0.1, 3.0, seed=2)
    assert other.card != one.card


def test_a_pair_without_a_truth_says_why(monkeypatch):
    def never(*_, **__):
        raise NotConverged("they part")

    monkeypatch.setattr(recognised, "best_truth", never)
    pair = recognised.random_pair(4, 8, 2, 0.1, 3.0, seed=1)
    found = recognised.row("held out", pair, 1_000)
    assert found == {"family": "held out", "problem": pair.name, "reason": "they part"}
