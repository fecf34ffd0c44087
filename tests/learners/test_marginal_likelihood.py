"""The marginal likelihood against scikit-learn, its maximum against L-BFGS and differences."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, Matern, WhiteKernel
from torch import Tensor

from molmeta.learners.marginal_likelihood import (
    Evidence,
    Expansion,
    Pairs,
    fitted,
    matern,
    matern_bend,
    matern_slope,
    median_length,
    minimum,
)

HYPERPARAMETERS = torch.tensor([0.3, -1.2, 0.4, -0.7], dtype=torch.float64)
FLAT = 1e9
"""A prior so wide that it says nothing."""


def evidence_of(vectors: Tensor, targets: Tensor, expected: Tensor, deviation: float) -> Evidence:
    """With a Gaussian kernel of length 0.8 in the place of Tanimoto's, as scikit-learn has it."""
    squared = torch.cdist(vectors, vectors).square() + 1e-12
    return Evidence(Pairs(squared, torch.exp(-squared / 1.28)[None]), targets, expected, deviation)


@pytest.fixture
def vectors() -> Tensor:
    return torch.nn.functional.normalize(torch.randn(14, 4, dtype=torch.float64), dim=1)


@pytest.fixture
def targets() -> Tensor:
    return (torch.arange(14) % 3 == 0).double() * 2 - 1


def scikit_kernel(hyperparameters: Tensor) -> Kernel:
    length, noise, learned, other = hyperparameters.exp().tolist()
    structure = ConstantKernel(learned) * Matern(length, nu=2.5)
    fixed = ConstantKernel(other) * RBF(0.8, length_scale_bounds="fixed")
    return structure + fixed + WhiteKernel(noise)


def test_the_marginal_likelihood_and_its_gradient_are_scikit_learns(
    vectors: Tensor, targets: Tensor
) -> None:
    process = GaussianProcessRegressor(scikit_kernel(HYPERPARAMETERS), alpha=1e-4, optimizer=None)
    process.fit(vectors.numpy(), targets.numpy())
    # Their order of the logarithms: learned, length, other, noise.
    value, gradient = process.log_marginal_likelihood(process.kernel_.theta, eval_gradient=True)
    ours = evidence_of(vectors, targets, torch.zeros(4).double(), FLAT).loss(HYPERPARAMETERS)
    assert ours.value.item() == pytest.approx(-value, rel=1e-9)
    np.testing.assert_allclose(ours.gradient[[2, 0, 3, 1]], -gradient, rtol=1e-6, atol=1e-8)


def test_gradient_and_hessian_are_those_of_the_value(vectors: Tensor, targets: Tensor) -> None:
    evidence = evidence_of(vectors, targets, torch.full((4,), -0.2).double(), 0.6)
    expansion = evidence.loss(HYPERPARAMETERS)
    value = lambda point: evidence.loss(point).value  # noqa: E731
    gradient = torch.autograd.functional.jacobian(value, HYPERPARAMETERS)
    hessian = torch.autograd.functional.hessian(value, HYPERPARAMETERS)
    torch.testing.assert_close(expansion.gradient, gradient, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(expansion.hessian, hessian, rtol=1e-8, atol=1e-8)


def test_the_prior_is_log_normal(vectors: Tensor, targets: Tensor) -> None:
    expected = torch.full((4,), -0.2).double()
    with_prior = evidence_of(vectors, targets, expected, 0.6).loss(HYPERPARAMETERS).value
    without = evidence_of(vectors, targets, expected, FLAT).loss(HYPERPARAMETERS).value
    normal = torch.distributions.Normal(expected, 0.6)
    constant = 4 * math.log(0.6 * math.sqrt(2 * math.pi))
    torch.testing.assert_close(
        with_prior - without, -normal.log_prob(HYPERPARAMETERS).sum() - constant
    )


def test_the_derivatives_of_the_matern_kernel_by_the_length_scale() -> None:
    distance = torch.linspace(0.01, 6, 50, dtype=torch.float64)
    kernel = Matern(1.0, nu=2.5)(np.zeros((1, 1)), (distance / math.sqrt(5)).numpy()[:, None])
    np.testing.assert_allclose(matern(distance), kernel[0], rtol=1e-12)
    step = 1e-4
    high, low = matern(distance / math.exp(step)), matern(distance / math.exp(-step))
    torch.testing.assert_close(matern_slope(distance), (high - low) / (2 * step), atol=1e-8, rtol=0)
    bend = (high - 2 * matern(distance) + low) / step**2
    torch.testing.assert_close(matern_bend(distance), bend, atol=1e-6, rtol=0)


@pytest.mark.parametrize("deviation", [0.3, 1.0])
def test_the_minimum_is_where_l_bfgs_finds_it(
    vectors: Tensor, targets: Tensor, deviation: float
) -> None:
    evidence = evidence_of(vectors, targets, HYPERPARAMETERS, deviation)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient, _ = evidence.loss(torch.from_numpy(point))
        return value.item(), gradient.numpy()

    found = minimize(
        loss, HYPERPARAMETERS.numpy(), jac=True, method="L-BFGS-B", options={"gtol": 1e-9}
    )
    # L-BFGS stops a little early; the gradient below says who is right.
    np.testing.assert_allclose(fitted(evidence), found.x, atol=1e-4)
    assert evidence.loss(fitted(evidence)).gradient.abs().max() < 1e-9
    assert not np.allclose(found.x, HYPERPARAMETERS, atol=0.05)


def test_a_start_of_negative_curvature_still_leads_downhill() -> None:
    # x⁴/4 - x²/2 + y²: curvature -1 at (0.1, 3), minimum at (1, 0).
    def loss(point: Tensor) -> Expansion:
        x, y = point
        return Expansion(
            x**4 / 4 - x**2 / 2 + y**2,
            torch.stack([x**3 - x, 2 * y]),
            torch.diag(torch.stack([3 * x**2 - 1, torch.tensor(2.0).double()])),
        )

    point, hessian = minimum(loss, torch.tensor([0.1, 3.0], dtype=torch.float64))
    torch.testing.assert_close(point, torch.tensor([1.0, 0.0]).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(hessian, torch.diag(torch.tensor([2.0, 2.0])).double())


def test_the_hypergradient_is_that_of_finite_differences(vectors: Tensor, targets: Tensor) -> None:
    # Each difference is taken after fitting anew.
    inputs = [x.clone().requires_grad_() for x in (vectors[:8], targets[:8], HYPERPARAMETERS)]
    assert torch.autograd.gradcheck(
        lambda u, y, centre: fitted(evidence_of(u, y, centre, 0.7)),
        inputs,
        eps=1e-5,
        atol=1e-6,
        rtol=1e-5,
    )


def test_a_firm_prior_leaves_the_hyperparameters_where_they_are_expected(
    vectors: Tensor, targets: Tensor
) -> None:
    firm = evidence_of(vectors, targets, HYPERPARAMETERS, 1e-3)
    torch.testing.assert_close(fitted(firm), HYPERPARAMETERS, atol=1e-4, rtol=0)
    loose = replace(firm, deviation=1.0)
    assert (fitted(loose) - HYPERPARAMETERS).abs().max() > 0.1


def test_the_length_scale_is_expected_at_the_median_distance() -> None:
    # Distances 1, 1 and 2 between the points 0, 1 and 2, each pair twice: the median is 1.
    points = torch.tensor([[0.0], [1.0], [2.0]])
    squared = (points - points.T).square()
    assert median_length(squared).item() == pytest.approx(math.sqrt(1 / 2))
    assert median_length(torch.zeros(3, 3)).item() == 1.0


def test_a_fit_that_ends_where_it_starts_still_has_its_derivative(
    vectors: Tensor, targets: Tensor
) -> None:
    firm = evidence_of(vectors, targets, HYPERPARAMETERS, 1e-7)
    jacobian = torch.autograd.functional.jacobian(
        lambda centre: fitted(replace(firm, expected=centre)), HYPERPARAMETERS
    )
    torch.testing.assert_close(jacobian, torch.eye(4).double(), atol=1e-6, rtol=0)
