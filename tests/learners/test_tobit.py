"""The Tobit posterior against Gaussian process regression, quadrature and its own gradient."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import norm
from torch import Tensor

from molmeta.learners.tobit import posterior

NOISE = torch.tensor(0.3, dtype=torch.float64)


def problem(n: int = 12, others: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Kernel [n, n], kernel to others [n, others], targets [n], relations [n]."""
    points = torch.randn(n + others, 3, dtype=torch.float64)
    kernel = torch.exp(-torch.cdist(points, points).square() / 4)
    targets = torch.randn(n, dtype=torch.float64)
    relations = torch.tensor([0, 1, -1] * n)[:n]
    return kernel[:n, :n], kernel[:n, n:], targets, relations


def test_without_a_bound_it_is_gaussian_process_regression() -> None:
    kernel, cross, targets, _ = problem()
    process = posterior(kernel, targets, torch.zeros(12), NOISE)
    mean, variance = process.moments(cross, torch.tensor(1.0, dtype=torch.float64))
    noisy = kernel + NOISE * torch.eye(12, dtype=torch.float64)
    expected = cross.T @ torch.linalg.solve(noisy, targets)
    explained = (cross * torch.linalg.solve(noisy, cross)).sum(0)
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(variance, 1 - explained)


def test_what_the_others_leave_open_is_found_by_leaving_each_out() -> None:
    kernel, _, targets, _ = problem()
    none = torch.zeros(12)
    found = posterior(kernel, targets, none, NOISE).left_out()
    for place in range(12):
        others = torch.arange(12) != place
        process = posterior(kernel[others][:, others], targets[others], none[others], NOISE)
        _, variance = process.moments(kernel[others, place][:, None], kernel[place, place])
        torch.testing.assert_close(found[place], variance[0])


def test_the_mode_is_the_most_likely_function() -> None:
    kernel, _, targets, relations = problem()
    process = posterior(kernel, targets, relations, NOISE)

    def minus_log_posterior(weights: np.ndarray) -> float:
        f = kernel.numpy() @ weights
        z = (f - targets.numpy()) / math.sqrt(NOISE)
        signs = relations.numpy()
        likelihood = np.where(signs == 0, norm.logpdf(z), norm.logcdf(signs * z))
        return float(weights @ f / 2 - likelihood.sum())

    found = minimize(minus_log_posterior, np.zeros(12), options={"gtol": 1e-9})
    np.testing.assert_allclose(kernel @ process.weights, kernel.numpy() @ found.x, atol=1e-5)


@pytest.mark.parametrize("relation", [1, -1])
def test_the_variance_is_that_of_a_parabola_at_the_mode(relation: int) -> None:
    kernel = torch.ones(1, 1, dtype=torch.float64)
    bound = torch.tensor([0.4], dtype=torch.float64)
    process = posterior(kernel, bound, torch.tensor([relation]), NOISE)
    mean, variance = process.moments(kernel, kernel[0])

    def log_density(f: float) -> float:
        z = relation * (f - 0.4) / math.sqrt(NOISE)
        return float(norm.logpdf(f) + norm.logcdf(z))

    f, step = mean.item(), 1e-4
    around = [log_density(f + k * step) for k in (-1, 0, 1)]
    assert around[1] == max(around)
    curvature = (2 * around[1] - around[0] - around[2]) / step**2
    assert variance.item() == pytest.approx(1 / curvature, rel=1e-4)
    assert relation * f > 0


def test_a_bound_that_is_met_by_far_tells_nothing() -> None:
    kernel, cross, targets, relations = problem()
    far = torch.where(relations == 0, targets, -1e3 * relations.double())
    measured = relations == 0
    process = posterior(kernel, far, relations, NOISE)
    alone = posterior(kernel[measured][:, measured], targets[measured], relations[measured], NOISE)
    own = torch.tensor(1.0, dtype=torch.float64)
    for left, right in zip(
        process.moments(cross, own), alone.moments(cross[measured], own), strict=True
    ):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1e-2, 1.0, 30.0])
def test_it_stays_finite_where_every_value_is_a_bound_that_is_missed(size: float) -> None:
    kernel, cross, _, _ = problem()
    targets = torch.full((12,), size, dtype=torch.float64)
    process = posterior(100 * kernel, targets, torch.ones(12), NOISE / 100)
    mean, variance = process.moments(100 * cross, torch.tensor(100.0, dtype=torch.float64))
    assert torch.isfinite(mean).all()
    assert (variance > 0).all()
    assert (kernel @ process.weights * 100 > size - 1).all()


def test_the_derivative_is_that_of_the_mode() -> None:
    kernel, cross, targets, relations = problem(6, 2)

    def answer(scale: Tensor, noise: Tensor) -> Tensor:
        process = posterior(scale * kernel, targets, relations[:6], noise)
        return torch.cat(process.moments(scale * cross, scale))

    inputs = (
        torch.tensor(1.3, dtype=torch.float64, requires_grad=True),
        torch.tensor(0.2, dtype=torch.float64, requires_grad=True),
    )
    assert torch.autograd.gradcheck(answer, inputs, atol=1e-5)
