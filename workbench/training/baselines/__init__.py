"""What training against log P is measured against: rules that need failures, or noise, or none."""

from workbench.training.baselines.noise import Noise
from workbench.training.baselines.pgd import PGD
from workbench.training.baselines.plain import Plain
from workbench.training.baselines.sampled import Sampled
from workbench.training.baselines.smooth import SmoothAdv
from workbench.training.baselines.trades import Trades
from workbench.training.rule import Rule

BASELINES: tuple[type[Rule], ...] = (Plain, Noise, PGD, Trades, SmoothAdv, Sampled)
"""Every baseline."""

__all__ = ["BASELINES", "Noise", "PGD", "Plain", "Sampled", "SmoothAdv", "Trades"]
