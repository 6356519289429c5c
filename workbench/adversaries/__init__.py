"""Adversaries: given M and C, find the distribution D near D0 on which C is likely.

The interface, as the screens, the training loop and the command line use it:

- `Adversary(family, region, estimator, optimiser, rate, steps, restarts, patience)`: frozen
  settings. `families.ALL` lists the families (frozen dataclasses of settings, each with a `name`);
  `REGIONS` the trust regions: `KL(nats)`, `Penalty(cost)`, `Ball(radius)`, `Cube(half_width)`.
- One iteration shape, as everywhere: `init(problem, rng) -> Search`, `step(problem, state)`,
  `read(state) -> Found`, `finished(state)`; the state goes through `iteration.pack` / `unpack` and
  resumes bit for bit. The first step estimates log P under D0 (`Found.reference`); every further
  one adds a row (restart, spent, log P, price) to `Found.path`. The problem may change between
  steps in its model: what a training loop that alternates with an adversary does.
- `report(problem, state, seconds) -> Attack`: the best D so far (`.distribution`, `.log10_p`,
  `.nats`, `.posed` = the problem under D, `.frontier()`); `.check(rng, budget)` lets an independent
  sampler look (`.checked`, `.warning`, `.bound_lower`); `.gallery()`, `.modes()` and
  `.design_point()` show what D looks like; `.record()` is what `workbench attack
  --json` prints.
- `adversary(problem, budget, rng, progress)` does all of it; `sweep(problem, adversary, limits)`
  yields a checked attack a limit in nats: the frontier. `attack.as_proposal()` is `importance` for
  the problem under D0 with D in its mixture.
- `Tilting(slope, nats)`: P under every tilt of a law of tokens along one slope (`Prices`).
- `BASELINES`: searches that need failures or margins, with the same init / step / read / report;
  `baseline(problem, search, forwards)` runs and checks one.
- `matched(problem, nats)`: without a search along gradients, the Gaussian that has the moments of
  D0 given C, or of D given C.

>>> import workbench as wb
>>> from workbench.adversaries import KL, Adversary
>>> attack = Adversary(region=KL(2.0), estimator=wb.Moments())(wb.load("A_d10_1e-6"))
>>> attack.warning
''
"""

from workbench.adversaries import families
from workbench.adversaries.adversary import Adversary
from workbench.adversaries.baselines import BASELINES, Baseline
from workbench.adversaries.divergence import Nats, relative_entropy
from workbench.adversaries.families import Family, Shifted, family
from workbench.adversaries.frontier import baseline, sweep
from workbench.adversaries.matched import matched
from workbench.adversaries.portrait import Gallery, Likeliest, Mode
from workbench.adversaries.pose import pose
from workbench.adversaries.region import KL, Ball, Cube, Penalty, Region
from workbench.adversaries.result import Attack
from workbench.adversaries.search import Found, Search
from workbench.adversaries.tilting import Prices, Tilting

REGIONS: tuple[type[Region], ...] = (KL, Penalty, Ball, Cube)
"""Every trust region."""

__all__ = [
    "BASELINES", "KL", "REGIONS", "Adversary", "Attack", "Ball", "Baseline", "Cube", "Family",
    "Found", "Gallery", "Likeliest", "Mode", "Nats", "Penalty", "Prices", "Region", "Search",
    "Shifted", "Tilting", "baseline", "families", "family", "matched", "pose", "relative_entropy",
    "sweep",
]  # fmt: skip
