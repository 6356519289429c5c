"""Mathematics on tensors: log-space, Gaussian integrals, quadrature, costs."""
