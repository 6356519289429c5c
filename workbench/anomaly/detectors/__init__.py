"""Detectors of anomalies: what the explanation says, and baselines that look at activations."""

from workbench.anomaly.detectors.autoencoder import Autoencoder
from workbench.anomaly.detectors.base import Detector
from workbench.anomaly.detectors.entropy import QuantumEntropy, Spectral
from workbench.anomaly.detectors.forest import IsolationForest
from workbench.anomaly.detectors.mahalanobis import Mahalanobis
from workbench.anomaly.detectors.output import Output
from workbench.anomaly.detectors.patches import Patches
from workbench.anomaly.detectors.unexplained import Unexplained
from workbench.anomaly.detectors.unlikely import Unlikely

ALL: tuple[type[Detector], ...] = (
    Unexplained, Unlikely, Mahalanobis, QuantumEntropy, Spectral, IsolationForest, Autoencoder,
    Patches, Output,
)  # fmt: skip
"""Every detector, as `workbench anomaly` offers them."""

__all__ = [
    "ALL", "Autoencoder", "Detector", "IsolationForest", "Mahalanobis", "Output", "Patches",
    "QuantumEntropy", "Spectral", "Unexplained", "Unlikely",
]  # fmt: skip
