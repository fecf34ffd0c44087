"""The inner loop: a few steps of gradient descent on a support's loss, which can be differentiated.

`inner_loop` takes the steps, for any parameters and any loss; `InnerRates` says how long each is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from molmeta.learners.setting import Setting
from molmeta.learners.size_law import REFERENCE_SIZE

_LONGEST = 16.0
"""Times the start. A logistic loss over features of length 2, where heads begin, curves by 5/4 at
most, so that descent with steps above 8/5 diverges: sixteen times the usual 0.1. Without a bound a
law that was learned on supports of up to 128 takes steps a hundred times as long on larger ones."""


def inner_loop(
    parameters: Mapping[str, Tensor],
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    rates: Iterable[Mapping[str, Tensor | float]],
    *,
    first_order: bool,
) -> dict[str, Tensor]:
    """Parameters after gradient descent, θ ← θ - α ∇loss(θ) (Finn et al. 2017, eq. 1).

    Runs with gradients on whatever the surrounding context says. The result carries a graph back
    to those `parameters` and `rates` that require gradients; with `first_order` and nothing that
    does, no graph is kept.

    Args:
        parameters: θ by name, of any module; they are left as they were.
        loss: θ to the scalar loss on the support, e.g. through `torch.func.functional_call`.
        rates: for each step the α of each parameter, by the same names.
        first_order: treat ∇loss(θ) as a constant when differentiating the result.
    """
    adapted = dict(parameters)
    with torch.enable_grad():
        for step in rates:
            # Views, so that each gradient is partial even where one parameter is computed from
            # another, as a head that starts at prototypes is from the encoder.
            point = {
                name: value.view_as(value)
                if value.requires_grad
                else value.detach().requires_grad_()
                for name, value in adapted.items()
            }
            # A parameter that the loss does not reach has gradient zero and stays.
            gradients = torch.autograd.grad(
                loss(point),
                list(point.values()),
                create_graph=not first_order,
                allow_unused=True,
                materialize_grads=True,
            )
            adapted = {
                name: value - step[name] * gradient
                for (name, value), gradient in zip(adapted.items(), gradients, strict=True)
            }
    return adapted


class InnerRates(nn.Module):
    """Learned inner learning rates: ln α = ln α₀ + a + b·ln k + c·ln(n_support / 32) at step k.

    No step is longer than 16 α₀. Each layer has its own a, b and c, which start at 0 (per layer and
    step as in MAML++, Antoniou et al. 2019). Departures: a law instead of a table of steps, so that
    `inner_steps` can be tuned after meta-training, and the support size, because a gradient over
    256 compounds deserves longer steps than one over 8.
    """

    def __init__(self, parameters: Sequence[str], learned: bool) -> None:
        super().__init__()
        self.layer_of = {name: name.rpartition(".")[0] for name in parameters}
        self.layers = sorted(set(self.layer_of.values()))
        # [3, n_layers]: a, b, c.
        self.coefficients = Setting(torch.zeros(3, len(self.layers)), requires_grad=learned)

    def forward(
        self, start: Mapping[str, float], n_steps: int, n_support: int | Sequence[int]
    ) -> list[dict[str, Tensor]]:
        """The rate of each parameter in each step: [], or [n_tasks] for supports of several tasks.

        Args:
            start: α₀ by parameter.
            n_steps: how many steps there are.
            n_support: molecules of the support, or of each.
        """
        sizes = self.coefficients.new_tensor(n_support).div(REFERENCE_SIZE).log()
        steps = []
        for k in range(1, n_steps + 1):
            terms = torch.stack(
                [torch.ones_like(sizes), torch.full_like(sizes, math.log(k)), sizes], dim=-1
            )
            lengths = (terms @ self.coefficients).exp().clamp(max=_LONGEST)
            factors = dict(zip(self.layers, lengths.unbind(-1), strict=True))
            steps.append(
                {name: start[name] * factors[layer] for name, layer in self.layer_of.items()}
            )
        return steps
