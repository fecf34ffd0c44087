"""Gaussian process posterior given values, some of which are only bounds (Tobit likelihood)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_MAX_STEPS = 50
# Relative to the noise: a step this small leaves the mode right to its square.
_CONVERGED = 1e-6
LEAST_VARIANCE = 1e-6
"""Of the latent function, whose root would have no derivative at 0."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What a support says of the latent function."""

    weights: Tensor
    """[n_support]; their product with the kernel to the support is the posterior mean."""
    whitener: Tensor
    """[n_support, n_support], L⁻¹ W½, W the likelihood's curvature, how much each value tells, and
    L the lower Cholesky factor of I + W½ K W½: its product with the kernel to the support is what
    the support explains. Written out, because a library has many more rows than a support."""
    precision: Tensor
    """[n_support], W."""

    def moments(self, cross: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the latent function at other molecules: [n] each.

        Rasmussen & Williams 2006, alg. 3.2, lines 4 to 6.

        Args:
            cross: [n_support, n], kernel of the support with them.
            own: [n] or [], kernel of each with itself.
        """
        # In float a molecule's moments would depend on its place among the others.
        cross = cross.to(self.weights.dtype)
        # Squared in place: for a library another such array costs as much as the product.
        explained = (self.whitener @ cross).square_().sum(0)
        return self.weights @ cross, (own - explained).clamp(min=LEAST_VARIANCE)

    def left_out(self) -> Tensor:
        """Variance of the latent function at each support compound given the others: [n_support].

        1/[(K + W⁻¹)⁻¹]ᵢᵢ - 1/Wᵢᵢ (Rasmussen & Williams 2006, eq. 5.12).
        """
        whole = self.whitener.square().sum(0)
        return (1 / whole - 1 / self.precision).clamp(min=LEAST_VARIANCE)

    def covariance(self, cross: Tensor, prior: Tensor) -> Tensor:
        """Covariance of the latent function between other molecules: [n, n].

        Args:
            cross: [n_support, n], kernel of the support with them.
            prior: [n, n], kernel between them.
        """
        explained = self.whitener @ cross
        remaining: Tensor = prior - explained.T @ explained
        return remaining


def posterior(kernel: Tensor, targets: Tensor, relations: Tensor, noise: Tensor) -> Posterior:
    """Posterior of f ~ N(0, K) by Laplace's method (Rasmussen & Williams 2006, alg. 3.1).

    A value y is N(f, noise); of a bound b the likelihood is Φ((f - b)/σ) where the truth is higher
    and Φ((b - f)/σ) where it is lower (Tobin 1958). It is log-concave, so that Newton's method
    finds the one mode. Without a bound the first step is exact and this is Gaussian process
    regression.

    Differentiable: the mode f is a fixed point of the step, whose derivative with respect to f
    vanishes there, so that one step from a constant f has the mode's derivative (the implicit
    function theorem).

    Args:
        kernel: [n_support, n_support].
        targets: [n_support], values and bounds less the prior mean.
        relations: [n_support]; 0 measured, 1 the truth is higher, -1 it is lower.
        noise: [], variance of a measurement around f.
    """
    if not relations.any():
        weights, roots = _step(kernel, torch.zeros_like(targets), targets, relations, noise)
        return Posterior(weights, _whitener(kernel, roots), roots.square())
    with torch.no_grad():
        mode = _mode(kernel.detach(), targets.detach(), relations, noise.detach())
    weights, _ = _step(kernel, mode, targets, relations, noise)
    # The curvature at a mode that knows its own derivative, for the derivative of the variance.
    _, curvature = _slope_and_curvature(kernel @ weights, targets, relations, noise)
    return Posterior(weights, _whitener(kernel, curvature.sqrt()), curvature)


def _mode(kernel: Tensor, targets: Tensor, relations: Tensor, noise: Tensor) -> Tensor:
    """The most likely f at the support: [n_support]."""
    weights = torch.zeros_like(targets)
    for _ in range(_MAX_STEPS):
        stepped, _ = _step(kernel, kernel @ weights, targets, relations, noise)
        move = stepped - weights
        before = _log_posterior(kernel, weights, targets, relations, noise)
        # From far out a whole step may overshoot; half of it, often enough, does not.
        while (kernel @ move).abs().max() > _CONVERGED * noise.sqrt() and _log_posterior(
            kernel, weights + move, targets, relations, noise
        ) < before:
            move = move / 2
        weights = weights + move
        if (kernel @ move).abs().max() <= _CONVERGED * noise.sqrt():
            break
    return kernel @ weights


def _step(
    kernel: Tensor, f: Tensor, targets: Tensor, relations: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """One Newton step from f [n_support], alg. 3.1, lines 4 to 8: weights and W½, [n] each."""
    slope, curvature = _slope_and_curvature(f, targets, relations, noise)
    roots = curvature.sqrt()
    factor = _factor(kernel, roots)
    pull = curvature * f + slope
    solved = torch.cholesky_solve((roots * (kernel @ pull))[:, None], factor)[:, 0]
    return pull - roots * solved, roots


def _factor(kernel: Tensor, roots: Tensor) -> Tensor:
    identity = torch.eye(len(roots), dtype=kernel.dtype, device=kernel.device)
    factor: Tensor = torch.linalg.cholesky(identity + roots[:, None] * kernel * roots)
    return factor


def _whitener(kernel: Tensor, roots: Tensor) -> Tensor:
    factor = _factor(kernel, roots)
    whitener: Tensor = torch.linalg.solve_triangular(factor, roots.diag(), upper=False)
    return whitener


def _slope_and_curvature(
    f: Tensor, targets: Tensor, relations: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """First and minus second derivative of the log likelihood by f: [n_support] each."""
    sign = relations.to(f)
    z = sign * (f - targets) / noise.sqrt()
    # φ(z)/Φ(z), whose two parts are 0 far below the bound.
    ratio = torch.exp(-z.square() / 2 - math.log(2 * math.pi) / 2 - torch.special.log_ndtr(z))
    slope = torch.where(relations == 0, (targets - f) / noise, sign * ratio / noise.sqrt())
    # Far above its bound a value tells nothing; the root of 0 has no derivative.
    curvature = torch.where(relations == 0, 1.0, (ratio * (z + ratio)).clamp(min=1e-9)) / noise
    return slope, curvature


def _log_posterior(
    kernel: Tensor, weights: Tensor, targets: Tensor, relations: Tensor, noise: Tensor
) -> Tensor:
    """Log likelihood and log prior of f = K·weights, up to a constant: []."""
    f = kernel @ weights
    z = (f - targets) / noise.sqrt()
    likelihood = torch.where(
        relations == 0, -z.square() / 2, torch.special.log_ndtr(relations.to(f) * z)
    )
    return likelihood.sum() - weights @ f / 2
