"""The bench of detectors: whose rows it has, and what it says of them."""

from workbench.bench import anomaly
from workbench.bench.anomaly import ANOMALY


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_detectors_are_summed_up_over_seeds(monkeypatch):
    """Areas of 0.6 and 0.8 have the mean 0.7 and, at one degree of freedom, an interval beyond 0
    and 1."""
    asked = []

    def survey(make, methods, seeds, told):
        asked.append((make.args, make.keywords, tuple(seeds)))
        for seed in seeds:
            told(seed / len(seeds), "a seed")
            for method in methods:
                yield {
                    "testbed": make.args[0], "normal": "normal", "detector": method, "seed": seed,
                    "auroc": 0.6 + 0.2 * (seed % 2), "err": 0.1, "seconds": 1.0 + seed,
                }  # fmt: skip

    monkeypatch.setattr(anomaly, "survey", survey)
    rows = list(ANOMALY.run(True, silent))
    beds = ("tampering", "backdoor", "mintree")
    assert asked == [((name,), {"inputs": 60}, (0, 1)) for name in beds]
    assert [(r["testbed"], r["detector"]) for r in rows] == [
        (name, method) for name in beds for method in anomaly.methods()
    ]
    for row in rows:
        assert (row["area"], row["least"]) == ("0.700", "0.600") and row["seconds"] == 1.5
        assert row["interval"] == "0.000 to 1.000" and row["seeds"] == 2
    asked.clear()
    assert len(list(ANOMALY.run(False, silent))) == 5 * len(anomaly.methods())
    assert asked[-1] == (("mintree",), {"inputs": 250}, tuple(range(10)))


def test_a_figure_is_reached_only_where_the_plain_distance_is_blind():
    def rows(ours, both, plain, rival):
        areas = {
            "unexplained": ours, "unlikely": both, "mahalanobis": plain, "svd": rival,
            "unexplained, first hidden": 1.0,
        }  # fmt: skip
        return [
            {"testbed": "t", "normal": "n", "detector": name, "auroc": area, "interval": "i",
             "worst": area, "least": f"{area:.3f}"}
            for name, area in areas.items()
        ]  # fmt: skip

    plain, ours, both, rival, _ = ANOMALY.conclude(rows(0.96, 0.94, 0.5, 0.95))
    assert plain == "t, against n inputs: mahalanobis 0.500."
    assert ours.startswith("  unexplained 0.960 (i)") and "reached where mahalanobis" in ours
    assert both.startswith("  unlikely 0.940") and both.endswith("FAILS to reach 0.95.")
    assert rival == "  0.95 is reached by svd as well."  # a layer of ours is no rival
    _, ours, both, *rest = ANOMALY.conclude(rows(0.97, 0.97, 0.9, 0.9))
    assert ours.endswith("reached.") and both.endswith("reached.") and len(rest) == 1
    _, ours, *_ = ANOMALY.conclude(rows(0.97, 0.97, 0.95, 0.9))
    assert ours.endswith("reached, and mahalanobis does it too.")
