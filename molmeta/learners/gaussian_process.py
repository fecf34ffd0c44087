"""Gaussian processes on several kernels: what they say of molecules once they have a support."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.base import Embedded, Prediction
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.parts import AVERAGE, RECORD, RESEMBLANCE, UNLIKENESS, Joint, Parts
from molmeta.learners.resemblance import Resemblance
from molmeta.learners.tobit import Posterior
from molmeta.learners.unlikeness import Unlikeness
from molmeta.learners.value_scale import ValueScale
from molmeta.learners.values import ValueHeadLearner, ValuePrediction

Now = TypeVar("Now")
"""What sets the kernels of one support."""


class Term(NamedTuple):
    """One of the kernels whose weighted sum a learner's kernel is."""

    name: str
    """What it compares (see `parts`); several terms may compare the same."""
    weight: Tensor
    """[]."""
    kernel: Tensor
    """[n_support, n], of the weight's dtype."""


class KernelLearner(ValueHeadLearner, Generic[Now]):
    """A learner whose head is a Gaussian process with a sum of kernels and a prior mean."""

    # The solve amplifies rounding: in float32 a score would depend on the batch it came in.
    in_double = True
    only_products = True
    uses_memory = True

    @abstractmethod
    def terms(
        self, support: Embedded, other: Embedded, now: Now, memory: CompoundMemory | None
    ) -> Sequence[Term]:
        """What the kernel between support and other molecules is the sum of; at least one.

        Args:
            support: whose kernel it is.
            other: molecules.
            now: what sets it.
            memory: as it is asked of classes or of values.
        """

    @abstractmethod
    def own_kernel(
        self, molecules: MoleculeBatch, now: Now, memory: CompoundMemory | None
    ) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""

    @abstractmethod
    def memory_factor(self, now: Now) -> Tensor:
        """From a known compound's mean grade to its prior mean: []."""

    @property
    def calibrated(self) -> list[nn.Parameter]:
        """Everything outside the encoder: the solve is differentiable."""
        return [
            parameter
            for name, parameter in self.named_parameters()
            if not name.startswith("encoder.") and parameter.requires_grad
        ]

    @property
    def memory_of_values(self) -> CompoundMemory | None:
        """The memory as it is asked of values."""
        return None if self.memory is None else self.memory.of_values

    def kernel(
        self, support: Embedded, other: Embedded, now: Now, memory: CompoundMemory | None
    ) -> Tensor:
        """The weighted sum of the terms: [n_support, n], an array of its own."""
        first, *others = self.terms(support, other, now, memory)
        total = first.weight * first.kernel
        # In place, because over a library every pass and every new array counts.
        for term in others:
            total.addcmul_(term.weight, term.kernel)
        return total

    def prior_mean(
        self, molecules: MoleculeBatch, now: Now, memory: CompoundMemory | None
    ) -> Tensor:
        """What is expected of each molecule before any support, next to the support's mean: [n]."""
        if memory is None:
            return torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        return self.memory_factor(now) * memory.mean(molecules)


@dataclass(frozen=True, slots=True)
class Process:
    """The Gaussian process given a support, on the scale of its targets."""

    learner: KernelLearner[Any]
    support: Embedded
    now: Any
    """The learner's own settings of the kernels."""
    memory: CompoundMemory | None
    """As it is asked about these targets."""
    posterior: Posterior
    noise: Tensor
    """[], variance of a measurement."""
    average: Tensor
    """[], what is expected of a molecule of which nothing is known."""
    level: Tensor
    """[], the constant in the kernel."""
    alike: Resemblance | None
    """What the assays that the support resembles add, where the learner asks them."""
    unlike: Unlikeness | None
    """What it takes from a molecule to be unlike the support, where the learner asks that."""

    def moments(self, query: Embedded) -> tuple[Tensor, Tensor]:
        """Mean and variance of each molecule: [n] each."""
        cross = self._kernel(self.support, query).add_(self.level)
        own = self.level + self.learner.own_kernel(query.molecules, self.now, self.memory)
        mean, variance = self.posterior.moments(cross, own)
        return mean + torch.stack([*self.base(query, variance).values()]).sum(0), variance

    def base(self, query: Embedded, variance: Tensor) -> dict[str, Tensor]:
        """What the mean is without the support compounds' own pull: name -> [n]."""
        record = self.learner.prior_mean(query.molecules, self.now, self.memory)
        base = {AVERAGE: self.average.expand(len(variance)), RECORD: record}
        if self.alike is not None:
            base[RESEMBLANCE] = self.alike.opinion(query.molecules)
        if self.unlike is not None:
            base[UNLIKENESS] = self.unlike(variance)
        return base

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the mean; what the level brings is the same for every molecule."""
        _, variance = self.moments(query)
        base = self.base(query, variance)
        weights = self.posterior.weights
        base[AVERAGE] = base[AVERAGE] + self.level * weights.sum()
        pulls: dict[str, Tensor] = {}
        terms = self.learner.terms(self.support, query, self.now, self.memory)
        for name, weight, kernel in terms:
            pulls[name] = weights[:, None] * weight * kernel + pulls.get(name, 0)
        return Parts(base, pulls)

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once (Rasmussen & Williams 2006, eq. 2.24)."""
        mean, _ = self.moments(query)
        cross = self.level + self._kernel(self.support, query)
        prior = self.level + self._kernel(query, query)
        return Joint(mean, self.posterior.covariance(cross, prior), self.noise)

    def _kernel(self, left: Embedded, right: Embedded) -> Tensor:
        return self.learner.kernel(left, right, self.now, self.memory)


@dataclass(frozen=True, slots=True)
class ClassHead(ABC):
    """What a process on the labels -1 and 1 says of classes."""

    process: Process

    @abstractmethod
    def scale(self, variance: Tensor) -> Tensor:
        """From the process's mean at molecules of `variance` [n] to their log odds: [n]."""

    def __call__(self, query: Embedded) -> Prediction:
        """The log odds of each molecule, and their standard deviation."""
        f, variance = self.process.moments(query)
        scale = self.scale(variance)
        return Prediction((scale * f).float(), (scale * variance.sqrt()).float())

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the log odds."""
        _, variance = self.process.moments(query)
        return self.process.parts(query).scaled(self.scale(variance))

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once, on the scale of the labels -1 and 1."""
        return self.process.joint(query)


@dataclass(frozen=True, slots=True)
class ValuesHead:
    """What a process on a `ValueScale` says of values."""

    process: Process
    scale: ValueScale
    width: Tensor
    """[], factor on every variance: what smooths the mean best is not what covers best."""

    def __call__(self, query: Embedded) -> ValuePrediction:
        """The value expected of each molecule, and the deviation of a measurement."""
        mean, variance = self.process.moments(query)
        return self.scale.restored(mean, self.width * (variance + self.process.noise))

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the value."""
        return self.scale.parts(self.process.parts(query))

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once, on the `ValueScale` of the support."""
        joint = self.process.joint(query)
        return Joint(joint.mean, self.width * joint.covariance, self.width * joint.noise)
