"""What one assay's values say of the process that is to predict them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NOISES = torch.linspace(-3.2, 3.2, 9, dtype=torch.float64)
"""Natural logarithms of the noise variances that are weighed, around the expected one."""
_WEIGHTS = torch.linspace(-4, 4, 5, dtype=torch.float64)
"""The same of the weights of the kernel that not every assay needs."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of an assay, before its values."""

    noise: Tensor
    """[], variance."""
    doubt: float
    """Standard deviation of ln noise from assay to assay."""
    vary: float
    """Standard deviation of the logarithm of the optional kernel's weight."""
    trust: float
    """How many values the expected size of all variances is worth."""


@dataclass(frozen=True, slots=True)
class AssayFit:
    """What is right for one assay."""

    noise: Tensor
    """[], variance of a measurement, before `scale`."""
    weight: Tensor
    """[], factor on the optional kernel, before `scale`."""
    scale: Tensor
    """[], factor on every variance, that of the noise included."""

    @classmethod
    def of(cls, kernel: Tensor, optional: Tensor, targets: Tensor, prior: Prior) -> AssayFit:
        """The fit to a support; a few compounds leave all as it is expected.

        exp of the mean of the logarithms of noise σ² and weight w over p(σ², w) p(y | σ², w), the
        latter Student's t: a process whose variances share an unknown factor s with an inverse
        gamma prior has density |C|^-½ (ν + y'C⁻¹y)^-(ν+n)/2 with C = K + wV + σ²I, up to a
        constant, and s is expected to be (ν + y'C⁻¹y)/(ν + n) (Shah et al. 2014, "Student-t
        processes", eq. 3 and 6). Without s, noise and weight would have to make up for values that
        vary more or less than the kernels have it, and would say nothing of how well they fit.

        Args:
            kernel: K [n, n], of the support compounds with a measured value.
            optional: V [n, n].
            targets: y [n], their values less the prior mean.
            prior: with log-normal noise and weight.
        """
        n, noises = len(targets), prior.noise * _NOISES.to(kernel).exp()
        noise = noises[:, None, None] * torch.eye(n).to(kernel)
        densities, scales = [], []
        for weight in _WEIGHTS.to(kernel):
            factors = torch.linalg.cholesky(kernel + weight.exp() * optional + noise)
            whitened = torch.linalg.solve_triangular(
                factors, targets[:, None].to(kernel), upper=False
            )
            scale = (prior.trust + whitened.square().sum((1, 2))) / (prior.trust + n)
            determinant = factors.diagonal(dim1=1, dim2=2).log().sum(1)
            # In place of ν + y'C⁻¹y its ratio to ν + n, which is constant.
            densities.append(-determinant - (prior.trust + n) / 2 * scale.log())
            scales.append(scale)
        unlikely = (_NOISES.to(kernel) / prior.doubt).square() / 2
        unlikely = unlikely + (_WEIGHTS.to(kernel)[:, None] / prior.vary).square() / 2
        shares = torch.softmax((torch.stack(densities) - unlikely).flatten(), 0).view_as(unlikely)
        return cls(
            noise=prior.noise * torch.exp(shares.sum(0) @ _NOISES.to(kernel)),
            weight=torch.exp(shares.sum(1) @ _WEIGHTS.to(kernel)),
            scale=torch.exp((shares * torch.stack(scales).log()).sum()),
        )
