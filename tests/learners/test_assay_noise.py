"""The noise of an assay is what its support says, and the expected one where that says nothing."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from molmeta.learners.assay_noise import fitted_noise

DOUBT = torch.tensor(0.7, dtype=torch.float64)


def _assay(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """Places [n, 2], their Gaussian kernel, and values of a smooth function with `noise`."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(n, 2))
    kernel = RBF(1.0)(places)
    smooth = rng.multivariate_normal(np.zeros(n), kernel, method="eigh")
    values = smooth + noise**0.5 * rng.normal(size=n)
    return places, torch.from_numpy(kernel), torch.from_numpy(values)


def test_it_is_the_posterior_mean_by_scikit_learns_evidence() -> None:
    places, kernel, values = _assay(30, noise=0.05)
    expected = 0.3
    logs = np.log(expected) + np.linspace(-2.4, 2.4, 9)

    def evidence(log: float) -> float:
        process = GaussianProcessRegressor(RBF(1.0), alpha=np.exp(log), optimizer=None)
        return float(process.fit(places, values.numpy()).log_marginal_likelihood_value_)

    posterior = np.array([evidence(log) for log in logs])
    posterior += norm.logpdf(logs, np.log(expected), float(DOUBT))
    shares = np.exp(posterior - posterior.max())
    by_hand = np.exp(shares @ logs / shares.sum())
    found = fitted_noise(kernel, values, torch.tensor(expected).double(), DOUBT)
    assert found.item() == pytest.approx(by_hand, rel=1e-6)


def test_a_precise_assay_gets_less_noise_than_a_rough_one() -> None:
    expected = torch.tensor(0.3, dtype=torch.float64)
    precise, rough = (
        fitted_noise(*_assay(100, noise)[1:], expected, DOUBT).item() for noise in (0.05, 1.5)
    )
    assert precise < 0.15 < 0.6 < rough


@pytest.mark.parametrize("n", [0, 1])
def test_a_support_that_says_nothing_leaves_the_expected_noise(n: int) -> None:
    expected = torch.tensor(0.3, dtype=torch.float64)
    found = fitted_noise(
        1e-9 * torch.eye(n).double(), torch.full((n,), 0.5).double(), expected, DOUBT
    )
    assert found.item() == pytest.approx(0.3, rel=1e-9 if n == 0 else 0.2)


def test_the_order_of_the_support_does_not_matter() -> None:
    _, kernel, values = _assay(12, noise=0.1)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor(0.3, dtype=torch.float64)
    one = fitted_noise(kernel, values, expected, DOUBT)
    other = fitted_noise(kernel[order][:, order], values[order], expected, DOUBT)
    torch.testing.assert_close(one, other)
