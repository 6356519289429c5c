"""The bench of linear regions: masses that are known, and what they are worth."""

import math

import torch

import workbench as wb
from workbench.bench import regions
from workbench.errors import NotConverged


@torch.no_grad()
def test_the_minimum_tree_has_eight_equal_regions_and_a_net_has_too_many():
    rows = {r["problem"]: r for r in regions.run(True, lambda *_: None)}
    tree, net = rows["D_mintree_1e-7"], rows["B_w32_h2_1e-5"]
    assert tree["patterns"] == 8 and tree["half"] in (4, 5)
    assert abs(tree["mass"] - 0.125) < 1e-3
    assert net["patterns"] > 0.9 * net["lines"] and net["mass"] < 0.01 and net["half"] > 100
    assert any("of P (median" in s for s in regions.conclude(list(rows.values())))


@torch.no_grad()
def test_a_region_is_the_network_where_it_is_affine():
    problem = wb.load("B_w32_h2_1e-3")
    z = torch.full((32,), 0.3, dtype=torch.float64)
    there = regions.region(problem, z)
    assert there.margin(z[None]).item() <= problem.margin_of_noise(z[None]).item() + 1e-9
    near = z + 1e-9 * torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    last = there.spec.a[-1], there.spec.b[-1]
    assert torch.allclose(near @ last[0] + last[1], problem.margin_of_noise(near), atol=1e-9)


def test_a_linear_model_is_one_region():
    problem = wb.load("A_d10_1e-6")
    row = regions.row(problem)
    assert row["patterns"] == 1 and abs(math.log10(row["mass"])) < 1e-6


def test_a_region_that_is_not_integrated_is_a_row_that_says_so(monkeypatch):
    class Never:
        def __init__(self, **settings):
            pass

        def __call__(self, problem, budget):
            raise NotConverged("no end")

    monkeypatch.setattr(regions, "Orthant", Never)
    row = regions.row(wb.load("A_d10_1e-6"))
    assert row["reason"] == "no end" and row["patterns"] == 1 and "mass" not in row
    (only,) = regions.conclude([row])
    assert only.startswith("Half of P")
