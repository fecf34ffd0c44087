"""Adaptive deep-kernel fitting: a Gaussian process whose kernel is fitted to each support."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.gaussian_process import (
    ClassHead,
    KernelLearner,
    Process,
    Term,
    ValuesHead,
)
from molmeta.learners.marginal_likelihood import (
    LEAST_SQUARED_DISTANCE,
    Evidence,
    Pairs,
    fitted,
    median_length,
    noise_variance,
)
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.parts import FINGERPRINT, LEARNED, SHARED
from molmeta.learners.setting import Setting
from molmeta.learners.space import Float, Range
from molmeta.learners.tobit import posterior
from molmeta.learners.value_scale import ValueScale

_NAMES = ("length", "noise", "learned", "tanimoto", "memory", "memory_mean")
# The mean label of an empty support would be 0: one imagined compound of each class.
_PRIOR_COMPOUNDS = 2.0


@dataclass(frozen=True, slots=True)
class ADKFConfig:
    """Settings of ADKF: where the hyperparameters of a task are expected, and how firmly.

    All but `prior_deviation` are the values that meta-training starts from.
    """

    length: float = 4.0
    """Length scale in units of the median heuristic's."""
    learned: float = 2.0
    """Weight of the Matérn kernel on the embedding."""
    tanimoto: float = 0.3
    """Weight of the Tanimoto kernel on ECFP counts."""
    noise: float = 0.3
    """Variance of the label noise; labels are -1 and 1."""
    memory: float = 1.0
    """Weight of the compound memory's kernel, where there is a memory."""
    memory_mean: float = 0.4
    """Factor from a known compound's mean meta-train label, -1..1, to its prior mean; not fitted
    to a task."""
    prior_deviation: float = 0.5
    """Standard deviation of the logarithm of each hyperparameter over tasks."""

    def __post_init__(self) -> None:
        """Refuse what has no logarithm.

        Raises:
            ConfigError: naming the setting.
        """
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"learner.{name} must be above 0, not {getattr(self, name)}.")


@dataclass(frozen=True, slots=True)
class Fitted:
    """The kernel of one support."""

    hyperparameters: Tensor
    """[4 or 5], logarithms: of ℓ, the noise variance and the weights."""
    memory_factor: Tensor
    """[]."""


class ADKF(KernelLearner[Fitted]):
    """Deep-kernel Gaussian process with hyperparameters of each task's own (Chen et al. 2023).

    On the labels -1 and 1, k = w1·Matérn-5/2(|u - u'|/ℓ) + w2·Tanimoto + noise, u the embedding at
    unit length. Inner: φ* = argmin L(φ, θ), L the support's negative log marginal likelihood and
    log prior, φ the logarithms of ℓ, noise and weights, θ what is meta-learned. Outer: the query's
    log predictive density at φ*(θ), with dφ*/dθ = -(∂²L/∂φ²)⁻¹ ∂²L/∂φ∂θ by the implicit function
    theorem. It differs from DeepKernel in that the support's likelihood, and not a
    meta-learned function of its size, sets the kernel. Departures:

    - The Tanimoto kernel, and a compound memory's where there is one, stand beside the learned one.
    - Every hyperparameter has a log-normal prior, and θ holds the centres. The authors' code has
      priors of fixed centre for noise and length scale and none for the weight; 16 labels cannot
      tell five numbers. The length scale's is in units of the median heuristic's, as there.
    - Newton's method in place of L-BFGS: the theorem asks for the Hessian anyway, it is of five
      numbers, and the last step carries the derivative (see `fitted`).
    - Given that a label is -1 or 1, its density N(f, v) makes log odds of 2f/v. They are the score,
      and their cross-entropy is the density's logarithm over the two labels that there are,
      molecule by molecule, where the paper takes the joint density of the whole query.

    Of values, on the `ValueScale` of the support, the same with θ of their own: the measured ones
    set φ, and bounds then enter by what they exclude (see `tobit`).
    """

    Config = ADKFConfig
    search_space: ClassVar[Mapping[str, Range]] = {"prior_deviation": Float(0.05, 2, log=True)}

    def __init__(
        self, encoder: EncoderConfig, config: ADKFConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.settings, self.value_settings = (
            nn.ParameterDict(
                {name: Setting(torch.tensor(math.log(getattr(config, name)))) for name in _NAMES}
            )
            for _ in range(2)
        )

    def pairs(self, support: Embedded, others: Embedded, memory: CompoundMemory | None) -> Pairs:
        """Of each support molecule with each other one, [n_support, n]."""
        squared = 2 - 2 * support.products(others).double()
        similarities = [support.pairs(tanimoto, others).double()]
        if memory is not None:
            similarities.append(support.pairs(memory.kernel, others))
        return Pairs(squared.clamp(min=LEAST_SQUARED_DISTANCE), torch.stack(similarities))

    def terms(
        self, support: Embedded, other: Embedded, now: Fitted, memory: CompoundMemory | None
    ) -> list[Term]:
        """What the kernel between support and other molecules is the sum of."""
        weights = now.hyperparameters[2:].exp()
        kernels = self.pairs(support, other, memory).kernels(now.hyperparameters)
        # Without a memory there is no third kernel.
        names = (LEARNED, FINGERPRINT, SHARED)
        return [Term(*term) for term in zip(names, weights, kernels, strict=False)]

    def own_kernel(
        self, molecules: MoleculeBatch, now: Fitted, memory: CompoundMemory | None
    ) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Matérn and Tanimoto are 1 between a molecule and itself.
        own = now.hyperparameters[2:4].exp().sum()
        if memory is None:
            return own
        return own + now.hyperparameters[4].exp() * memory.own(molecules)

    def memory_factor(self, now: Fitted) -> Tensor:
        """From a known compound's mean grade to its prior mean: []."""
        return now.memory_factor

    def expected(self, pairs: Pairs, settings: nn.ParameterDict) -> Tensor:
        """Centre of the prior of each hyperparameter's logarithm: [4 or 5]."""
        names = ["length", "noise", "learned", "tanimoto"]
        if self.memory is not None:
            names.append("memory")
        centres = torch.stack([settings[name].double() for name in names])
        length = median_length(pairs.squared_distances).log()
        return torch.cat([centres[:1] + length, centres[1:]])

    def fit_head(self, support: Embedded, labels: Tensor) -> DensityHead:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        signs = 2 * labels.double() - 1
        measured = torch.zeros_like(signs)
        return DensityHead(self._process(support, signs, measured, self.settings, self.memory))

    def fit_value_head(self, support: Embedded, values: Tensor, relations: Tensor) -> ValuesHead:
        """The posterior given values [n_support] that differ, and their relations to the truth."""
        scale = ValueScale.of(values)
        shrunk = scale.shrink(values)
        process = self._process(
            support, shrunk, relations, self.value_settings, self.memory_of_values
        )
        return ValuesHead(process, scale, torch.ones_like(process.noise))

    def _process(
        self,
        support: Embedded,
        targets: Tensor,
        relations: Tensor,
        settings: nn.ParameterDict,
        memory: CompoundMemory | None,
    ) -> Process:
        """The process on `targets` [n_support], with hyperparameters that the measured ones set."""
        pairs = self.pairs(support, support, memory)
        now = Fitted(self.expected(pairs, settings), settings["memory_mean"].double().exp())
        left = targets - self.prior_mean(support.molecules, now, memory)
        average = left.sum() / (len(left) + _PRIOR_COMPOUNDS)
        points = relations == 0
        evidence = Evidence(
            pairs.among(points),
            (left - average)[points],
            now.hyperparameters,
            self.config.prior_deviation,
        )
        now = Fitted(fitted(evidence), now.memory_factor)
        noise = noise_variance(now.hyperparameters)
        kernel = pairs.terms(now.hyperparameters).sum(0)
        given = posterior(kernel, left - average, relations, noise)
        level = torch.zeros_like(noise)
        return Process(self, support, now, memory, given, noise, average, level, None, None)


@dataclass(frozen=True, slots=True)
class DensityHead(ClassHead):
    """What the process says of classes, from its density at the two labels."""

    def scale(self, variance: Tensor) -> Tensor:
        """2/v, v the variance of a label: [n]."""
        return 2 / (variance + self.process.noise)
