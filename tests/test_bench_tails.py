"""The bench of deterministic tails, and the problems that it makes."""

import torch

from workbench.bench import held_out, tails


def test_tails_measures_reference_and_held_out_problems():
    rows = list(tails.run(True, lambda *_: None))
    assert {r["family"] for r in rows} == {"linear", "random", "digits", "triggers", "held out"}
    ours = {r["problem"]: r for r in rows if r["estimator"] == "conditioned"}
    assert abs(ours["A_d10_1e-12"]["error"]) < 1e-9
    assert abs(ours["C_digits_p22_s20"]["error"]) < 0.1
    assert ours["C_digits_p22_s20"]["gradient_error"] < 0.05
    assert "gradient_error" not in ours["D_needle_1e-6"]
    said = list(tails.conclude(rows))
    assert any(s.startswith("conditioned, held out: ") for s in said)


@torch.no_grad()
def test_held_out_problems_are_made_anew_and_alike():
    one, again = held_out.random_net(24, 2, 0.1, 4.0), held_out.random_net(24, 2, 0.1, 4.0)
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.margin(x), again.margin(x))
    digit = held_out.noised_digit(3, 0.1)
    assert float(digit.margin(digit.distribution.mean[None])) < 0.0  # read rightly without noise
