"""Whether a behaviour occurs for its usual reason: explanations, detectors, reporters.

- `explain(problem)` finds the propagated terms that account for C under the trusted D;
  `Explanation.account(x)` says what they account for on inputs, and what is left.
- `TESTBEDS` makes behaviours with labelled anomalies from a seed; `detectors.ALL` are scored on
  them by `judge(testbed, detector)`, and over seeds by `survey` and `summary`.
- `failing(problem)` makes a testbed of any problem; `scored` judges inputs of unknown kind.

>>> import workbench as wb
>>> explain(wb.load("A_d10_1e-6")).share > 0.9
True
"""

from workbench.anomaly import detectors
from workbench.anomaly.account import Account
from workbench.anomaly.auroc import Auroc, OverSeeds, auroc, over_seeds
from workbench.anomaly.explanation import Explanation, explain
from workbench.anomaly.failing import drawn, failing
from workbench.anomaly.judging import TESTBEDS, Judged, judge, make_testbed
from workbench.anomaly.scoring import scored
from workbench.anomaly.survey import summary, survey
from workbench.anomaly.testbed import Testbed

__all__ = [
    "TESTBEDS", "Account", "Auroc", "Explanation", "Judged", "OverSeeds", "Testbed", "auroc",
    "detectors", "drawn", "explain", "failing", "judge", "make_testbed", "over_seeds", "scored",
    "summary", "survey",
]  # fmt: skip
