"""The hyperparameters of a Gaussian process at the maximum of its support's marginal likelihood.

`Evidence` is what a support says of them, `fitted` where it says it best, with a derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

# Below it a squared distance is rounding, and its root has no derivative.
LEAST_SQUARED_DISTANCE = 1e-12
_MAX_STEPS = 50
_LEAST_CURVATURE = 1e-3
# What a Newton step may still gain: the point is right to 1e-6 then, and one step on to 1e-12.
_CONVERGED = 1e-12
# Variance that no support can argue away: copies of one compound would make the noise nothing.
_LEAST_NOISE = 1e-4


@dataclass(frozen=True, slots=True)
class Pairs:
    """What the kernel needs to know of pairs of molecules."""

    squared_distances: Tensor
    """[n, m], of the embeddings at unit length."""
    similarities: Tensor
    """[1 or 2, n, m]: the kernels without a length scale, Tanimoto and the memory's."""

    def terms(self, hyperparameters: Tensor) -> Tensor:
        """w1·Matérn(distance / ℓ), w2·Tanimoto and w3·memory, whose sum is the kernel.

        Args:
            hyperparameters: [4 or 5], logarithms of ℓ, the noise variance, w1, w2 and w3.

        Returns:
            [2 or 3, n, m].
        """
        return hyperparameters[2:, None, None].exp() * self.kernels(hyperparameters)

    def kernels(self, hyperparameters: Tensor) -> Tensor:
        """The same without the weights: [2 or 3, n, m]."""
        structure = matern(self.lengths(hyperparameters))
        return torch.cat([structure[None], self.similarities])

    def among(self, rows: Tensor) -> Pairs:
        """Of the molecules at `rows`, a mask or places, with one another; both sides are alike."""
        squared = self.squared_distances[rows][:, rows]
        return Pairs(squared, self.similarities[:, rows][:, :, rows])

    def lengths(self, hyperparameters: Tensor) -> Tensor:
        """Distances in length scales, times √5: [n, m]."""
        return (5 * self.squared_distances).sqrt() / hyperparameters[0].exp()


class Expansion(NamedTuple):
    """A function near a point, to second order."""

    value: Tensor
    """[]."""
    gradient: Tensor
    """[k]."""
    hessian: Tensor
    """[k, k]."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a support says of the hyperparameters."""

    pairs: Pairs
    """Of the support with itself."""
    targets: Tensor
    """[n_support], the labels -1 and 1 less what was expected."""
    expected: Tensor
    """[4 or 5], centre of the prior of each hyperparameter's logarithm."""
    deviation: float
    """Of that prior."""

    def factor(self, hyperparameters: Tensor) -> Tensor:
        """Lower Cholesky factor of the support's kernel with noise: [n_support, n_support]."""
        noise = noise_variance(hyperparameters).expand(len(self.targets))
        factor: Tensor = torch.linalg.cholesky(
            self.pairs.terms(hyperparameters).sum(0) + noise.diag()
        )
        return factor

    def loss(self, hyperparameters: Tensor) -> Expansion:
        """Minus the log marginal likelihood and log prior, up to the prior's constant.

        Rasmussen & Williams 2006, eq. 5.8 and 5.9; written out, because a Hessian by automatic
        differentiation takes ten times as long.
        """
        factor = self.factor(hyperparameters)
        inverse = torch.cholesky_inverse(factor)
        weights = inverse @ self.targets
        offset = (hyperparameters - self.expected) / self.deviation
        value = (
            (self.targets @ weights + len(weights) * math.log(2 * math.pi) + offset @ offset) / 2
            + factor.diagonal().log().sum()
        )  # fmt: skip

        # ∂K/∂φ [k, n, n], and ∂²K/∂φ². The logarithm of a weight gives its own term again, and
        # only length scale and learned weight act on the same one.
        terms = self.pairs.terms(hyperparameters)
        noise = hyperparameters[1].exp() * torch.eye(len(weights)).to(terms)
        stretch = hyperparameters[2].exp() * matern_slope(self.pairs.lengths(hyperparameters))
        bend = hyperparameters[2].exp() * matern_bend(self.pairs.lengths(hyperparameters))
        slopes = torch.cat([torch.stack([stretch, noise]), terms])
        seconds = torch.cat([torch.stack([bend, noise]), terms])

        moves, pulls = inverse @ slopes, slopes @ weights
        missing = inverse - torch.outer(weights, weights)
        gradient = torch.einsum("knm,nm->k", slopes, missing) / 2 + offset / self.deviation
        own = torch.einsum("knm,nm->k", seconds, missing) / 2 + self.deviation**-2
        hessian = (
            pulls @ inverse @ pulls.T - torch.einsum("jnm,kmn->jk", moves, moves) / 2 + own.diag()
        )
        shared = (stretch * missing).sum() / 2
        hessian[0, 2] += shared
        hessian[2, 0] += shared
        return Expansion(value, gradient, hessian)

    def detach(self) -> Evidence:
        """The same numbers without a graph."""
        pairs = Pairs(self.pairs.squared_distances.detach(), self.pairs.similarities.detach())
        return Evidence(pairs, self.targets.detach(), self.expected.detach(), self.deviation)


def noise_variance(hyperparameters: Tensor) -> Tensor:
    """Variance of the labels around the function: []."""
    return hyperparameters[1].exp() + _LEAST_NOISE


def matern(lengths: Tensor) -> Tensor:
    """Matérn kernel with ν = 5/2 at `Pairs.lengths`, any shape."""
    return (1 + lengths + lengths**2 / 3) * torch.exp(-lengths)


def matern_slope(lengths: Tensor) -> Tensor:
    """First derivative of `matern` by ln ℓ."""
    return (lengths**2 + lengths**3) / 3 * torch.exp(-lengths)


def matern_bend(lengths: Tensor) -> Tensor:
    """Second derivative of `matern` by ln ℓ."""
    return (lengths**4 - 2 * lengths**3 - 2 * lengths**2) / 3 * torch.exp(-lengths)


def median_length(squared_distances: Tensor) -> Tensor:
    """Length scale by the median heuristic, √(median |u - u'|² / 2) over pairs that differ: [].

    Args:
        squared_distances: [n_support, n_support]; 1 is given where no pair differs.
    """
    apart = squared_distances[squared_distances > 2 * LEAST_SQUARED_DISTANCE]
    if not len(apart):
        return torch.ones_like(squared_distances[0, 0])
    return (apart.median() / 2).sqrt()


def fitted(evidence: Evidence) -> Tensor:
    """The hyperparameters [4 or 5] of least loss, differentiable by the implicit function theorem.

    At the minimum φ the Newton step φ - H⁻¹·∂L/∂φ is φ itself. With H and φ held constant its
    derivative with respect to all that L depends on is -H⁻¹ ∂²L/∂φ∂θ, the theorem's.
    """
    constants = evidence.detach()
    with torch.no_grad():
        point, hessian = minimum(constants.loss, constants.expected)
    step: Tensor = torch.linalg.solve(hessian, evidence.loss(point).gradient)
    return point - step


def minimum(loss: Callable[[Tensor], Expansion], start: Tensor) -> tuple[Tensor, Tensor]:
    """Where a smooth function has a minimum, [k], and its Hessian there, [k, k].

    Newton's method with two safeguards: the sign of a negative curvature is ignored, so that every
    step goes downhill, and a step that gains too little is halved (Nocedal & Wright 2006, sec. 3.4
    and eq. 3.6a).

    Args:
        loss: twice differentiable, of a point [k].
        start: [k].
    """
    point, here = start, loss(start)
    for _ in range(_MAX_STEPS):
        curvatures, axes = torch.linalg.eigh(here.hessian)
        along = (axes.T @ here.gradient) / curvatures.abs().clamp(min=_LEAST_CURVATURE)
        step = -axes @ along
        # No hyperparameter changes by more than a factor e at once.
        step = step / step.abs().max().clamp(min=1)
        there = loss(point + step)
        while (gain := -here.gradient @ step) > _CONVERGED and (
            there.value > here.value - 1e-4 * gain
        ):
            step = step / 2
            there = loss(point + step)
        if gain <= _CONVERGED:
            break
        point, here = point + step, there
    return point, here.hessian
