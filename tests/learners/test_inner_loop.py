"""The inner loop on any module: against DeepChem, hand numbers and the published sinusoid task."""

import logging
import math
import warnings
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks import sinusoid
from molmeta.learners.inner_loop import InnerRates, inner_loop

Loss = Callable[[Mapping[str, Tensor]], Tensor]


def small_net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))


def squared_error(net: nn.Module, x: Tensor, y: Tensor) -> Loss:
    return lambda parameters: (functional_call(net, dict(parameters), (x,)) - y).square().mean()


def constant_rate(names: Mapping[str, Tensor], rate: float, steps: int) -> list[dict[str, float]]:
    return [dict.fromkeys(names, rate)] * steps


# The inner loop, on any module


@pytest.mark.parametrize("steps", [1, 3])
def test_meta_gradient_equals_that_of_deepchem(steps: int) -> None:
    logger = logging.getLogger("deepchem")
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("deepchem", exc_type=ImportError)
        from deepchem.metalearning.torch_maml import MAML as DeepChemMAML
        from deepchem.metalearning.torch_maml import MetaLearner
        from deepchem.models.optimizers import GradientDescent

    net = small_net(0).double()
    names = [name for name, _ in net.named_parameters()]
    rng = torch.Generator().manual_seed(4)
    batches = [
        (
            torch.randn(10, 1, generator=rng, dtype=torch.float64),
            torch.randn(10, 1, generator=rng, dtype=torch.float64),
        )
        for _ in range(2 * (steps + 1))
    ]

    class TwoTasks(MetaLearner):
        def __init__(self) -> None:
            self.net = net
            self.place = 0

        def compute_model(self, inputs, variables, training):
            return squared_error(net, *inputs)(dict(zip(names, variables, strict=True))), []

        @property
        def variables(self):
            return list(net.parameters())

        def parameters(self):
            return net.parameters()

        def select_task(self):
            pass

        def get_batch(self):
            self.place += 1
            return batches[self.place - 1]

    reference = DeepChemMAML(
        TwoTasks(),
        learning_rate=0.1,
        optimization_steps=steps,
        meta_batch_size=2,
        optimizer=GradientDescent(learning_rate=0.0),
        device=torch.device("cpu"),
    )
    reference.fit(1)
    expected = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()

    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        adapted = dict(net.named_parameters())
        *inner, last = batches[task * (steps + 1) : (task + 1) * (steps + 1)]
        for x, y in inner:  # DeepChem draws a new batch for each step
            adapted = inner_loop(
                adapted,
                squared_error(net, x, y),
                constant_rate(adapted, 0.1, 1),
                first_order=False,
            )
        total = total + squared_error(net, *last)(adapted)
    total.backward()
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-12)


def test_first_order_gradient_is_the_query_gradient_at_the_adapted_parameters() -> None:
    net = small_net(0).double()
    x, y, xq, yq = torch.randn(4, 10, 1, dtype=torch.float64)
    start = dict(net.named_parameters())
    gradients = {}
    for first_order in (True, False):
        adapted = inner_loop(
            start,
            squared_error(net, x, y),
            constant_rate(start, 0.1, 3),
            first_order=first_order,
        )
        loss = squared_error(net, xq, yq)(adapted)
        gradients[first_order] = torch.autograd.grad(loss, list(start.values()))
    detached = {name: value.detach().requires_grad_() for name, value in adapted.items()}
    at_the_end = torch.autograd.grad(squared_error(net, xq, yq)(detached), list(detached.values()))
    for first, second, expected in zip(gradients[True], gradients[False], at_the_end, strict=True):
        torch.testing.assert_close(first, expected, rtol=1e-12, atol=1e-12)
        assert not torch.allclose(first, second, rtol=1e-2)


def test_inner_loop_takes_plain_gradient_steps() -> None:
    # loss = (w - 3)², from w = 1: 1 + 0.1·4 = 1.4, then 1.4 + 0.2·3.2 = 2.04.
    adapted = inner_loop(
        {"w": torch.tensor(1.0), "unused": torch.tensor(7.0)},
        lambda p: (p["w"] - 3).square(),
        [{"w": 0.1, "unused": 0.1}, {"w": 0.2, "unused": 0.2}],
        first_order=True,
    )
    assert adapted["w"].item() == pytest.approx(2.04)
    assert adapted["unused"].item() == 7.0
    assert not adapted["w"].requires_grad


def test_inner_gradient_is_partial_where_one_parameter_is_made_from_another() -> None:
    a = torch.tensor(2.0, requires_grad=True)
    # At a = 2, b = 6: ∂(ab)/∂a = 6; the derivative along b = 3a would be 12.
    adapted = inner_loop(
        {"a": a, "b": 3 * a}, lambda p: p["a"] * p["b"], [{"a": 0.1, "b": 0.1}], first_order=False
    )
    assert adapted["a"].item() == pytest.approx(2 - 0.1 * 6)
    assert adapted["b"].item() == pytest.approx(6 - 0.1 * 2)


def test_sinusoid_is_regressed_after_one_step_as_in_the_paper() -> None:
    # Finn et al. 2017, sec. 5.1, cut short: 700 of 70,000 outer steps bring the error after one
    # inner step from 4.1 to about 1.8. A net that ignores the support cannot come below 3.0, the
    # variance of the tasks at one x: E[A²]/2 - (2 E[A]/π)² E[cos² x].
    torch.manual_seed(0)
    net = sinusoid.make_net()
    rng = torch.Generator().manual_seed(0)
    sinusoid.meta_train(net, 700, rng)
    before, after = sinusoid.errors(net, 1000, 1, rng)
    assert before > 2.5
    assert after < 2.2


def test_inner_rates_follow_step_and_support_size() -> None:
    rates = InnerRates(["encoder.mix.0.weight", "encoder.mix.0.bias", "head.bias"], learned=True)
    start = {"encoder.mix.0.weight": 0.01, "encoder.mix.0.bias": 0.01, "head.bias": 0.1}
    assert rates.layers == ["encoder.mix.0", "head"]
    at_first = rates(start, 2, 64)
    assert [step["head.bias"].item() for step in at_first] == pytest.approx([0.1, 0.1])
    with torch.no_grad():
        rates.coefficients.copy_(torch.tensor([[0.0, 1.0], [0.0, -1.0], [0.0, 2.0]]))
    # e¹ · 2⁻¹ · (64/32)² = 2e in the second step; the other layer has its own coefficients.
    second = rates(start, 2, 64)[1]
    assert second["head.bias"].item() == pytest.approx(0.1 * 2 * math.e)
    assert second["encoder.mix.0.bias"].item() == pytest.approx(0.01)


def test_no_step_is_longer_than_sixteen_times_the_start() -> None:
    rates = InnerRates(["head.weight"], learned=True)
    with torch.no_grad():
        rates.coefficients.fill_(2.0)
    short = rates({"head.weight": 0.1}, n_steps=1, n_support=8)[0]["head.weight"].detach()
    long = rates({"head.weight": 0.1}, n_steps=3, n_support=256)[2]["head.weight"].detach()
    assert float(short) == pytest.approx(0.1 * math.exp(2 + 2 * math.log(8 / 32)))
    assert float(long) == pytest.approx(1.6)
