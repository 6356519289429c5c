"""Whether a behaviour occurs for its usual reason: explanations, detectors, reporters.

- `explain(problem)` finds the propagated terms that account for C under the trusted D;
  `Explanation.account(x)` says what they account for on inputs, and what is left.
- `TESTBEDS` makes behaviours with labelled anomalies from a seed; `detectors.ALL` are scored on
  them by `judge(testbed, detector)`.

>>> import workbench as wb
>>> explain(wb.load("A_d10_1e-6")).share > 0.9
True
"""

from workbench.anomaly import detectors
from workbench.anomaly.auroc import Auroc, OverSeeds, auroc, over_seeds
from workbench.anomaly.explanation import Account, Explanation, explain
from workbench.anomaly.judging import TESTBEDS, Judged, judge, make_testbed
from workbench.anomaly.testbed import Testbed

__all__ = [
    "TESTBEDS", "Account", "Auroc", "Explanation", "Judged", "OverSeeds", "Testbed", "auroc",
    "detectors", "explain", "judge", "make_testbed", "over_seeds",
]  # fmt: skip
