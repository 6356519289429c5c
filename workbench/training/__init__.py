"""Adversarial training without failing inputs: M is stepped against log P_D[C] itself.

The interface, as runs, the command line and the screens use it:

- `Duty(problem, task)`: what is trained: the model of a problem (copied), its task and its
  catastrophe. `Task(inputs, targets, held_out, loss)`. `toys` makes some.
- `Defender(estimator, adversary, steps, rate, price, target, allowance, ...)`: frozen settings.
  One iteration shape: `init(duty, rng) -> Training`, `step(duty, state)`, `read(state) -> Trained`,
  `finished(state)`. The state is flat tensors and counters; it goes through `iteration.pack` and
  resumes bit for bit: `step` writes `state.theta` into the duty's model before it uses it.
- `Trained.table()` has a dict a step (`record.ROW`), of M before it, and at the end one of the M
  that is returned; `Trained.judged()` one a verdict of the
  referee (`record.VERDICT`), `.exploited` the mark, `.met` the ledger of adversaries.

>>> from workbench.iteration import Budget, run
>>> from workbench.rng import Rng
>>> from workbench.training import Defender, toys
>>> duty, defender = toys.regression(), Defender(steps=2)
>>> state, _ = run(defender, duty, defender.init(duty, Rng(0)), Budget(None, 60.0))
>>> [row["step"] for row in defender.read(state).table()]
[0.0, 1.0, 2.0]
"""

from workbench.training import toys
from workbench.training.defender import Defender
from workbench.training.duty import Duty
from workbench.training.record import Trained, Training
from workbench.training.referee import Referee
from workbench.training.task import Task

__all__ = ["Defender", "Duty", "Referee", "Task", "Trained", "Training", "toys"]
