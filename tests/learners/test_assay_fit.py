"""The fit to an assay is what its values say, and what is expected where they say nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_t, norm
from sklearn.gaussian_process.kernels import RBF

from molmeta.learners.assay_fit import AssayFit, Prior

PRIOR = Prior(torch.tensor(0.3, dtype=torch.float64), 0.7, 1.5, 8.0)
NOISES, WEIGHTS = np.linspace(-3.2, 3.2, 9), np.linspace(-4, 4, 5)


def _assay(
    n: int, noise: float, weight: float, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A rough kernel, a smooth one, and values of a sum of both with `noise`."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(n, 2))
    rough, smooth = RBF(0.5)(places), RBF(3.0)(places)
    covariance = rough + weight * smooth + noise * np.eye(n)
    values = rng.multivariate_normal(np.zeros(n), covariance, method="eigh")
    return torch.from_numpy(rough), torch.from_numpy(smooth), torch.from_numpy(values)


def test_it_is_the_posterior_mean_by_scipys_student_t() -> None:
    kernel, optional, values = _assay(30, noise=0.05, weight=3.0)
    trust = PRIOR.trust
    logs, scales = np.zeros((5, 9)), np.zeros((5, 9))
    for i, weight in enumerate(WEIGHTS):
        for j, noise in enumerate(NOISES):
            shape = kernel.numpy() + np.exp(weight) * optional.numpy()
            shape = shape + 0.3 * np.exp(noise) * np.eye(30)
            logs[i, j] = multivariate_t.logpdf(values.numpy(), shape=shape, df=trust)
            logs[i, j] += norm.logpdf(weight, 0, 1.5) + norm.logpdf(noise, 0, 0.7)
            quadratic = values.numpy() @ np.linalg.solve(shape, values.numpy())
            scales[i, j] = (trust + quadratic) / (trust + 30)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    found = AssayFit.of(kernel, optional, values, PRIOR)
    assert found.noise.item() == pytest.approx(0.3 * np.exp(shares.sum(0) @ NOISES))
    assert found.weight.item() == pytest.approx(np.exp(shares.sum(1) @ WEIGHTS))
    assert found.scale.item() == pytest.approx(np.exp((shares * np.log(scales)).sum()))


def test_a_precise_assay_gets_less_noise_than_a_rough_one() -> None:
    noises = []
    for noise in (0.02, 2.0):
        found = AssayFit.of(*_assay(100, noise, weight=1.0), PRIOR)
        noises.append((found.noise * found.scale).item())
    assert noises[0] < 0.15 < 0.6 < noises[1]


def test_the_optional_kernel_counts_where_values_follow_it() -> None:
    without, with_it = (
        AssayFit.of(*_assay(100, 0.1, weight), PRIOR).weight.item() for weight in (0.0, 9.0)
    )
    assert without < 0.5 < 3.0 < with_it


def test_values_that_vary_twice_as_far_have_four_times_the_variance() -> None:
    kernel, optional, values = _assay(60, noise=0.1, weight=1.0)
    careless = replace(PRIOR, trust=1e-9)
    once, twice = (AssayFit.of(kernel, optional, k * values, careless) for k in (1, 2))
    torch.testing.assert_close(twice.scale, 4 * once.scale)
    torch.testing.assert_close(twice.noise, once.noise)
    torch.testing.assert_close(twice.weight, once.weight)


def test_a_support_of_nothing_leaves_all_as_expected() -> None:
    nothing = torch.zeros(0, 0).double()
    found = AssayFit.of(nothing, nothing, torch.zeros(0).double(), PRIOR)
    assert found.noise.item() == pytest.approx(0.3)
    assert found.weight.item() == pytest.approx(1.0)
    assert found.scale.item() == pytest.approx(1.0)


def test_the_order_of_the_support_does_not_matter() -> None:
    kernel, optional, values = _assay(12, noise=0.1, weight=1.0)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    one = AssayFit.of(kernel, optional, values, PRIOR)
    other = AssayFit.of(kernel[order][:, order], optional[order][:, order], values[order], PRIOR)
    torch.testing.assert_close(one.noise, other.noise)
    torch.testing.assert_close(one.weight, other.weight)
    torch.testing.assert_close(one.scale, other.scale)
