"""The noise of one assay's values: what its support says of it, and what assays have as a rule."""

import torch
from torch import Tensor

_STEPS = torch.linspace(-2.4, 2.4, 9, dtype=torch.float64)
"""Natural logarithms of the noise variances that are weighed, around the expected one."""


def fitted_noise(kernel: Tensor, targets: Tensor, expected: Tensor, doubt: Tensor) -> Tensor:
    """The noise variance of a Gaussian process, given a support: [].

    exp of the mean of ln σ² over p(σ²) N(y; 0, K + σ²I) (Rasmussen & Williams 2006, eq. 5.8), where
    ln σ² is normal around ln `expected`; the integral is a sum over nine values. A few compounds
    leave the expected noise nearly as it is; a hundred tell a precise assay from a rough one.

    Args:
        kernel: [n, n], of the support compounds with a measured value.
        targets: [n], their values less the prior mean.
        expected: [], variance.
        doubt: [], standard deviation of ln σ² from assay to assay.
    """
    steps = _STEPS.to(kernel)
    noises = expected * steps.exp()
    identity = torch.eye(len(targets)).to(kernel)
    factors = torch.linalg.cholesky(kernel + noises[:, None, None] * identity)
    whitened = torch.linalg.solve_triangular(factors, targets[:, None].to(kernel), upper=False)
    half_logdet = factors.diagonal(dim1=1, dim2=2).log().sum(1)
    evidence = -whitened.square().sum((1, 2)) / 2 - half_logdet - (steps / doubt).square() / 2
    return expected * torch.exp(torch.softmax(evidence, 0) @ steps)
