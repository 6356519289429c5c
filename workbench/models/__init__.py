"""Models: any `nn.Module`; here are the ones that the workbench makes itself."""

from workbench.models.mlp import dense, mlp
from workbench.models.network import Network, Shift, Sum, chain

MODELS: dict[str, str] = {
    "mlp": "random multilayer perceptron (He initialisation; ReLU, GELU or tanh)",
    "network": "parts and the earlier values that feed each, as a problem card holds them",
}
"""Names and descriptions, as `workbench list models` shows them."""

__all__ = ["MODELS", "Network", "Shift", "Sum", "chain", "dense", "mlp"]
