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
from molmeta.learners.base import Embedded, HeadLearner, Prediction
from molmeta.learners.marginal_likelihood import (
    LEAST_SQUARED_DISTANCE,
    Evidence,
    Pairs,
    fitted,
    median_length,
    noise_variance,
)
from molmeta.learners.parts import (
    AVERAGE,
    FINGERPRINT,
    LEARNED,
    RECORD,
    SHARED,
    Joint,
    Parts,
)
from molmeta.learners.setting import Setting
from molmeta.learners.space import Float, Range

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


class ADKF(HeadLearner):
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
    """

    Config = ADKFConfig
    uses_memory = True
    # As in DeepKernel: the solve amplifies rounding.
    in_double = True
    search_space: ClassVar[Mapping[str, Range]] = {"prior_deviation": Float(0.05, 2, log=True)}

    def __init__(
        self, encoder: EncoderConfig, config: ADKFConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        names = ("length", "noise", "learned", "tanimoto", "memory", "memory_mean")
        self.settings = nn.ParameterDict(
            {name: Setting(torch.tensor(math.log(getattr(config, name)))) for name in names}
        )

    def pairs(self, support: Embedded, others: Embedded) -> Pairs:
        """Of each support molecule with each other one, [n_support, n]."""
        squared = 2 - 2 * support.products(others).double()
        similarities = [support.pairs(tanimoto, others).double()]
        if self.memory is not None:
            similarities.append(support.pairs(self.memory.kernel, others))
        return Pairs(squared.clamp(min=LEAST_SQUARED_DISTANCE), torch.stack(similarities))

    def own_kernel(self, molecules: MoleculeBatch, hyperparameters: Tensor) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Matérn and Tanimoto are 1 between a molecule and itself.
        own = hyperparameters[2:4].exp().sum()
        if self.memory is None:
            return own
        return own + hyperparameters[4].exp() * self.memory.own(molecules)

    def prior_mean(self, molecules: MoleculeBatch) -> Tensor:
        """What is expected of each molecule before any support, next to the support's mean: [n]."""
        if self.memory is None:
            return torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        factor: Tensor = self.settings["memory_mean"].double().exp()
        return factor * self.memory.mean(molecules)

    def expected(self, pairs: Pairs) -> Tensor:
        """Centre of the prior of each hyperparameter's logarithm: [4 or 5]."""
        names = ["length", "noise", "learned", "tanimoto"]
        if self.memory is not None:
            names.append("memory")
        centres = torch.stack([self.settings[name].double() for name in names])
        length = median_length(pairs.squared_distances).log()
        return torch.cat([centres[:1] + length, centres[1:]])

    def fit_head(self, support: Embedded, labels: Tensor) -> FittedHead:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        pairs = self.pairs(support, support)
        targets = 2 * labels.double() - 1 - self.prior_mean(support.molecules)
        average = targets.sum() / (len(targets) + _PRIOR_COMPOUNDS)
        evidence = Evidence(
            pairs, targets - average, self.expected(pairs), self.config.prior_deviation
        )
        hyperparameters = fitted(evidence)
        factor = evidence.factor(hyperparameters)
        weights = torch.cholesky_solve(evidence.targets[:, None], factor)[:, 0]
        return FittedHead(self, support, hyperparameters, factor, weights, average)


@dataclass(frozen=True, slots=True)
class FittedHead:
    """The posterior with the hyperparameters of one task."""

    learner: ADKF
    support: Embedded
    hyperparameters: Tensor
    """[4 or 5], logarithms."""
    factor: Tensor
    """[n_support, n_support], lower Cholesky factor of kernel and noise."""
    weights: Tensor
    """[n_support]; their product with the kernel to the support is the posterior mean."""
    average: Tensor
    """[], what is expected of a molecule of which nothing is known."""

    def __call__(self, query: Embedded) -> Prediction:
        """The log odds of each molecule, and their standard deviation."""
        terms = self._terms(query)
        f = self.average + self.learner.prior_mean(query.molecules) + self.weights @ terms.sum(0)
        variance = self._variance(terms, query)
        scale = self._scale(variance)
        return Prediction((scale * f).float(), (scale * variance.sqrt()).float())

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the log odds."""
        terms = self._terms(query)
        base = {
            AVERAGE: self.average.expand(len(query.molecules)),
            RECORD: self.learner.prior_mean(query.molecules),
        }
        pulls = self.weights[:, None] * terms
        # Without a memory there is no third kernel.
        parts = Parts(base, dict(zip((LEARNED, FINGERPRINT, SHARED), pulls, strict=False)))
        return parts.scaled(self._scale(self._variance(terms, query)))

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once, on the scale of the labels -1 and 1."""
        terms = self._terms(query)
        mean = self.average + self.learner.prior_mean(query.molecules)
        prior = self.learner.pairs(query, query).terms(self.hyperparameters).sum(0)
        half = torch.linalg.solve_triangular(self.factor, terms.sum(0), upper=False)
        return Joint(
            mean + self.weights @ terms.sum(0),
            prior - half.T @ half,
            noise_variance(self.hyperparameters),
        )

    def _terms(self, query: Embedded) -> Tensor:
        """Each kernel between the support and the molecules: [2 or 3, n_support, n]."""
        return self.learner.pairs(self.support, query).terms(self.hyperparameters)

    def _variance(self, terms: Tensor, query: Embedded) -> Tensor:
        """Of f at each molecule: [n]."""
        half = torch.linalg.solve_triangular(self.factor, terms.sum(0), upper=False)
        own = self.learner.own_kernel(query.molecules, self.hyperparameters)
        variance: Tensor = own - half.square().sum(0)
        return variance.clamp(min=1e-6)

    def _scale(self, variance: Tensor) -> Tensor:
        """From f to log odds: [n]."""
        return 2 / (variance + noise_variance(self.hyperparameters))
