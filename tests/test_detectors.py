"""Baselines of anomaly detection against their definitions and public implementations."""

import pytest
import torch

import workbench as wb
from workbench.anomaly import detectors
from workbench.anomaly.detectors.base import hidden, whitened
from workbench.anomaly.detectors.patches import local_outlier, patched
from workbench.anomaly.inner import inner
from workbench.models import mlp


@pytest.fixture(scope="module")
def problem():
    d = wb.Gaussian(torch.zeros(4).double(), torch.ones(4).double())
    model = mlp([4, 10, 8, 2], torch.Generator().manual_seed(0), bias_std=0.3)
    return wb.Problem(d, model, wb.Argmax(0, "wins"))


@pytest.fixture(scope="module")
def draws():
    g = torch.Generator().manual_seed(1)
    return torch.randn(300, 4, generator=g).double(), 2 * torch.randn(50, 4, generator=g).double()


def test_mahalanobis_is_the_distance_of_its_definition(problem, draws):
    trusted, x = draws
    found = detectors.Mahalanobis("inputs", ridge=0.0).scores(problem, trusted, x)
    gap = x - trusted.mean(0)
    slow = torch.stack([v @ torch.linalg.inv(torch.cov(trusted.T)) @ v for v in gap])
    assert torch.allclose(found, slow, rtol=1e-9)
    with pytest.raises(wb.BadInput, match="sees one of"):
        detectors.Mahalanobis("nothing")


def test_quantum_entropy_runs_from_mahalanobis_to_the_top_singular_vector(problem, draws):
    trusted, x = draws
    flat = detectors.QuantumEntropy(alpha=0.0).scores(problem, trusted, x)
    distance = detectors.Mahalanobis().scores(problem, trusted, x)
    assert torch.allclose(flat * 18, distance, rtol=1e-9)  # tr Q = 18 hidden neurons
    steep = detectors.QuantumEntropy(alpha=1e6).scores(problem, trusted, x)
    assert torch.allclose(steep, detectors.Spectral().scores(problem, trusted, x), rtol=1e-6)
    seen = (torch.cat(hidden(problem, v), 1) for v in draws)
    _, white = whitened(*seen, 1e-3)
    excess = torch.cov(white.T) - torch.eye(18).double()
    q = torch.matrix_exp(4.0 * excess / torch.linalg.matrix_norm(excess, 2))
    slow = torch.stack([v @ q @ v for v in white]) / q.trace()
    assert torch.allclose(detectors.QuantumEntropy().scores(problem, trusted, x), slow, rtol=1e-8)


def test_the_isolation_forest_agrees_with_a_public_one(draws):
    from sklearn.ensemble import IsolationForest

    known, points = draws
    ours = detectors.IsolationForest(trees=300).isolation(known, points)
    forest = IsolationForest(n_estimators=300, max_samples=256, random_state=0).fit(known.numpy())
    theirs = -torch.from_numpy(forest.score_samples(points.numpy()))
    assert float(torch.corrcoef(torch.stack([ours, theirs]))[0, 1]) > 0.97
    assert float((ours - theirs).abs().max()) < 0.05


def test_local_outliers_are_those_of_a_public_implementation(draws):
    from sklearn.neighbors import LocalOutlierFactor

    known, points = draws
    public = LocalOutlierFactor(20, novelty=True).fit(known.numpy())
    theirs = -torch.from_numpy(public.score_samples(points.numpy()))
    assert torch.allclose(local_outlier(known, points, 20), theirs, rtol=1e-6)


def test_a_patch_of_the_last_layer_takes_away_what_its_neuron_writes(problem, draws):
    trusted, x = draws
    part = inner(problem, 4)
    h, mean = part.value(x), part.value(trusted).mean(0)
    write = problem.model.parts[-1].weight[0] - problem.model.parts[-1].weight[1]
    assert torch.allclose(patched(part, x, mean), (h - mean) * write, atol=1e-10)


@pytest.mark.parametrize("kind", detectors.ALL, ids=lambda c: c.name)
def test_every_detector_scores_finitely_and_alike_twice(kind, problem, draws):
    trusted, x = draws
    found = kind().scores(problem, trusted, x)
    assert found.shape == (50,) and bool(torch.isfinite(found).all())
    assert torch.equal(found, kind().scores(problem, trusted, x))


@pytest.mark.parametrize("kind", detectors.ALL, ids=lambda c: c.name)
def test_what_depends_on_the_batch_says_so(kind, problem, draws):
    trusted, x = draws
    alone, whole = (kind().scores(problem, trusted, part)[:20] for part in (x[:20], x))
    assert torch.allclose(alone, whole, rtol=1e-9) != kind.pooled
