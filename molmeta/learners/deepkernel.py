"""Deep-kernel Gaussian process: a closed-form head on a learned and a structural kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Prediction
from molmeta.learners.parts import (
    AVERAGE,
    FINGERPRINT,
    LEARNED,
    RECORD,
    RESEMBLANCE,
    SHARED,
    Joint,
    Parts,
)
from molmeta.learners.resemblance import Resemblance
from molmeta.learners.setting import Setting
from molmeta.learners.tobit import Posterior, posterior
from molmeta.learners.values import Standard, ValueHeadLearner, ValuePrediction
from molmeta.learners.weighted_tanimoto import WeightedTanimoto

_REFERENCE_SIZE = 32


@dataclass(frozen=True, slots=True)
class DeepKernelConfig:
    """Settings of a DeepKernel: the values that meta-training starts from."""

    linear: float = 0.5
    """Initial weight of the cosine kernel on the embedding; 0 leaves it out for good."""
    rbf: float = 0.5
    """Initial weight of the Gaussian kernel on the normalised embedding; 0 leaves it out."""
    tanimoto: float = 1.0
    """Initial weight of the WeightedTanimoto kernel on structures; 0 leaves it out."""
    noise: float = 1.0
    """Initial variance of the label noise; labels are -1 and 1."""
    memory: float = 3.0
    """Initial weight of the compound memory's kernel, where there is a memory."""
    memory_mean: float = 1.0
    """Initial factor from a known compound's mean meta-train grade, -1..1, to its prior mean."""
    resemblance: float = 0.5
    """Initial factor of what the assays that agree with the support said of a known compound."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a kernel.

        Raises:
            ConfigError: a negative weight, no kernel at all, or no noise.
        """
        weights = (self.linear, self.rbf, self.tanimoto)
        if min(weights) < 0 or sum(weights) == 0:
            raise ConfigError("A deep kernel needs weights of at least 0, one of them above 0.")
        for name in ("noise", "memory", "memory_mean", "resemblance"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"learner.{name} must be above 0, not {getattr(self, name)}.")


Settings = Mapping[str, Tensor]
"""The settings of classes or those of values, as a support has them: name -> []."""


class DeepKernel(ValueHeadLearner):
    """Gaussian process regression on the labels -1 and 1 (Patacchiola et al. 2020, "DKT").

    k = w1·cos(u, u') + w2·exp(-|u - u'|²/2ℓ²) + w3·T, u the embedding at unit length and T the
    WeightedTanimoto of structures;
    mean f = m + k(q, S)(K + σ²I)⁻¹(y - m), with m the shrunken mean label (Rasmussen & Williams
    2006, eq. 2.25 and 2.26). A compound memory, where there is one, adds its kernel to k, its mean
    to m, and to f what the assays said that the support resembles. Departures: kernel weights,
    noise and output scale are meta-learned, each as a function of the support (see `situation`), so
    that the mixture follows its size and how much of it is known; and the loss is the cross-entropy
    of s·f/√(1 + c·var f), the probit's shape (eq. 3.82), which makes the output a calibrated log
    odds without a calibration set.

    Of values, brought to mean 0 and deviation 1 over the support, the same with settings of their
    own; a constant is added to k, for what a few values leave open about the assay's level, and
    bounds enter by what they exclude (see `tobit`).
    """

    Config = DeepKernelConfig
    uses_memory = True
    # The solve amplifies rounding: in float32 a score would depend on the batch it came in.
    in_double = True

    def __init__(
        self, encoder: EncoderConfig, config: DeepKernelConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        start = {"length": 0.7, "scale": 2.0, "spread": 0.5, "prior": 2.0, "sharpness": 1.0}
        of_config = ("noise", "memory", "memory_mean", "resemblance")
        start |= {name: getattr(config, name) for name in of_config}
        weights = {"linear": config.linear, "rbf": config.rbf, "tanimoto": config.tanimoto}
        self.kernel_names = tuple(name for name, weight in weights.items() if weight > 0)
        start |= {name: weights[name] for name in self.kernel_names}
        self.fingerprint = WeightedTanimoto()
        self.settings = _settings(start)
        shared = {name: start[name] for name in start if name not in ("scale", "spread", "prior")}
        self.value_settings = _settings(shared | {"level": 2.0})

    def situation(self, support: MoleculeBatch) -> Tensor:
        """What the settings depend on: 1, ln(n_support / 32), share known to the memory; [3]."""
        known = 0.0 if self.memory is None else float(self.memory.knows(support).double().mean())
        size = math.log(len(support) / _REFERENCE_SIZE)
        return torch.tensor([1.0, size, known], dtype=torch.float64, device=support.device)

    def settings_for(self, support: MoleculeBatch, settings: nn.ParameterDict) -> Settings:
        """Each of `settings`: exp of its coefficients times the situation, above 0."""
        situation = self.situation(support)
        return {name: torch.exp(settings[name].to(situation) @ situation) for name in settings}

    def kernels(self, support: Embedded, other: Embedded, now: Settings) -> dict[str, Tensor]:
        """Kernels between support and other molecules by what they compare: [n_support, n] each."""
        cosine = support.products(other)
        kernels = {}
        if "linear" in self.kernel_names:
            kernels[LEARNED] = now["linear"] * cosine
        if "rbf" in self.kernel_names:
            length = now["length"]
            rbf = now["rbf"] * torch.exp((cosine - 1) / length**2)
            kernels[LEARNED] = kernels[LEARNED] + rbf if LEARNED in kernels else rbf
        if "tanimoto" in self.kernel_names:
            similarity = support.pairs(self.fingerprint, other)
            kernels[FINGERPRINT] = now["tanimoto"] * similarity.to(cosine)
        if self.memory is not None:
            shared = support.pairs(self.memory.kernel, other)
            kernels[SHARED] = now["memory"] * shared.to(cosine)
        return kernels

    def kernel(self, support: Embedded, other: Embedded, now: Settings) -> Tensor:
        """Their sum: [n_support, n]."""
        return reduce(torch.add, self.kernels(support, other, now).values())

    def own_kernel(self, molecules: MoleculeBatch, now: Settings) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Every kernel on structures is 1 between a molecule and itself.
        own = torch.stack([now[name] for name in self.kernel_names]).sum()
        if self.memory is None:
            return own
        return own + now["memory"] * self.memory.own(molecules)

    def prior_mean(self, molecules: MoleculeBatch, now: Settings) -> Tensor:
        """What is expected of each molecule before any support, next to the support's mean: [n]."""
        if self.memory is None:
            return torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        return now["memory_mean"] * self.memory.mean(molecules)

    def resemblance(self, support: MoleculeBatch, targets: Tensor) -> Resemblance | None:
        """The meta-train assays that agree with `targets` [n_support]; None without a memory."""
        return None if self.memory is None else Resemblance.of(self.memory, support, targets)

    def fit_head(self, support: Embedded, labels: Tensor) -> ClassHead:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        now = self.settings_for(support.molecules, self.settings)
        signs = 2 * labels.double() - 1
        targets = signs - self.prior_mean(support.molecules, now)
        average = targets.sum() / (len(labels) + now["prior"])
        measured = torch.zeros_like(targets)
        noise = now["noise"]
        fitted = posterior(self.kernel(support, support, now), targets - average, measured, noise)
        alike = self.resemblance(support.molecules, signs - signs.mean())
        level = torch.zeros_like(average)
        return ClassHead(Process(self, support, now, fitted, average, level, alike))

    def fit_value_head(self, support: Embedded, values: Tensor, relations: Tensor) -> ValuesHead:
        """The posterior given values [n_support] that differ, and their relations to the truth."""
        now = self.settings_for(support.molecules, self.value_settings)
        scale = Standard.of(values)
        standard = scale.shrink(values)
        targets = standard - self.prior_mean(support.molecules, now)
        level, noise = now["level"], now["noise"]
        fitted = posterior(level + self.kernel(support, support, now), targets, relations, noise)
        alike = self.resemblance(support.molecules, standard)
        average = torch.zeros_like(level)
        return ValuesHead(Process(self, support, now, fitted, average, level, alike), scale)


@dataclass(frozen=True, slots=True)
class Process:
    """The Gaussian process given a support, on the scale of its targets."""

    learner: DeepKernel
    support: Embedded
    now: Settings
    posterior: Posterior
    average: Tensor
    """[], what is expected of a molecule of which nothing is known."""
    level: Tensor
    """[], the constant in the kernel."""
    alike: Resemblance | None

    @property
    def noise(self) -> Tensor:
        """Variance of a measurement: []."""
        return self.now["noise"]

    def moments(self, query: Embedded) -> tuple[Tensor, Tensor]:
        """Mean and variance of each molecule: [n] each."""
        cross = self.level + self.learner.kernel(self.support, query, self.now)
        own = self.level + self.learner.own_kernel(query.molecules, self.now)
        mean, variance = self.posterior.moments(cross, own)
        return mean + torch.stack([*self.base(query.molecules).values()]).sum(0), variance

    def base(self, molecules: MoleculeBatch) -> dict[str, Tensor]:
        """What the mean is without the support compounds' own pull: name -> [n]."""
        record = self.learner.prior_mean(molecules, self.now)
        base = {AVERAGE: self.average.expand(len(molecules)), RECORD: record}
        if self.alike is not None:
            opinion = self.alike.opinion(molecules, self.now["sharpness"])
            base[RESEMBLANCE] = self.now["resemblance"] * opinion
        return base

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the mean; what the level brings is the same for every molecule."""
        base = self.base(query.molecules)
        weights = self.posterior.weights
        base[AVERAGE] = base[AVERAGE] + self.level * weights.sum()
        kernels = self.learner.kernels(self.support, query, self.now)
        return Parts(base, {name: weights[:, None] * kernels[name] for name in kernels})

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once (Rasmussen & Williams 2006, eq. 2.24)."""
        mean, _ = self.moments(query)
        cross = self.level + self.learner.kernel(self.support, query, self.now)
        prior = self.level + self.learner.kernel(query, query, self.now)
        return Joint(mean, self.posterior.covariance(cross, prior), self.noise)


@dataclass(frozen=True, slots=True)
class ClassHead:
    """What the process says of classes."""

    process: Process

    def __call__(self, query: Embedded) -> Prediction:
        """The log odds of each molecule, and their standard deviation."""
        f, variance = self.process.moments(query)
        scale = self._scale(variance)
        return Prediction((scale * f).float(), (scale * variance.sqrt()).float())

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the log odds."""
        _, variance = self.process.moments(query)
        return self.process.parts(query).scaled(self._scale(variance))

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once, on the scale of the labels -1 and 1."""
        return self.process.joint(query)

    def _scale(self, variance: Tensor) -> Tensor:
        """From f to log odds: [n]."""
        now = self.process.now
        spread = torch.sqrt(1 + now["spread"] * variance)
        return now["scale"] / spread


@dataclass(frozen=True, slots=True)
class ValuesHead:
    """What the process says of values."""

    process: Process
    scale: Standard

    def __call__(self, query: Embedded) -> ValuePrediction:
        """The value expected of each molecule, and the deviation of a measurement."""
        mean, variance = self.process.moments(query)
        return self.scale.restored(mean, variance + self.process.noise)

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the value."""
        parts = self.process.parts(query).scaled(self.scale.deviation)
        return Parts({**parts.base, AVERAGE: self.scale.mean + parts.base[AVERAGE]}, parts.support)

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules at once, in the unit of the support."""
        joint, variance = self.process.joint(query), self.scale.deviation.square()
        mean = self.scale.mean + self.scale.deviation * joint.mean
        return Joint(mean, variance * joint.covariance, variance * joint.noise)


def _settings(start: Mapping[str, float]) -> nn.ParameterDict:
    """Settings by name, each the coefficients of its logarithm: at `start` in every situation."""
    return nn.ParameterDict(
        {name: Setting(torch.tensor([math.log(value), 0.0, 0.0])) for name, value in start.items()}
    )
