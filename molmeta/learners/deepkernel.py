"""Deep-kernel Gaussian process: a closed-form head on a learned and a structural kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Head, Prediction
from molmeta.learners.resemblance import Resemblance
from molmeta.learners.setting import Setting
from molmeta.learners.tobit import posterior
from molmeta.learners.values import Standard, ValueHead, ValueHeadLearner, ValuePrediction

_REFERENCE_SIZE = 32


@dataclass(frozen=True, slots=True)
class DeepKernelConfig:
    """Settings of a DeepKernel: the values that meta-training starts from."""

    linear: float = 0.5
    """Initial weight of the cosine kernel on the embedding; 0 leaves it out for good."""
    rbf: float = 0.5
    """Initial weight of the Gaussian kernel on the normalised embedding; 0 leaves it out."""
    tanimoto: float = 1.0
    """Initial weight of the Tanimoto kernel on ECFP counts; 0 leaves it out."""
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


class Situation(NamedTuple):
    """A support as the settings see it, and which settings are asked for."""

    features: Tensor
    """[3]: 1, ln(n_support / 32), share known to the memory."""
    settings: nn.ParameterDict
    """Those of classes or those of values."""


class DeepKernel(ValueHeadLearner):
    """Gaussian process regression on the labels -1 and 1 (Patacchiola et al. 2020, "DKT").

    k = w1·cos(u, u') + w2·exp(-|u - u'|²/2ℓ²) + w3·Tanimoto, u the embedding at unit length;
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

    def __init__(
        self, encoder: EncoderConfig, config: DeepKernelConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        start = {"length": 0.7, "scale": 2.0, "spread": 0.5, "prior": 2.0, "sharpness": 1.0}
        of_config = ("noise", "memory", "memory_mean", "resemblance")
        start |= {name: getattr(config, name) for name in of_config}
        weights = {"linear": config.linear, "rbf": config.rbf, "tanimoto": config.tanimoto}
        self.kernels = tuple(name for name, weight in weights.items() if weight > 0)
        start |= {name: weights[name] for name in self.kernels}
        self.settings = _settings(start)
        shared = {name: start[name] for name in start if name not in ("scale", "spread", "prior")}
        self.value_settings = _settings(shared | {"level": 2.0})

    def embed(self, molecules: MoleculeBatch) -> Embedded:
        """The molecules with their embeddings [n, dim] at unit length, in double precision."""
        # The solve amplifies rounding: in float32 a score would depend on the batch it came in.
        return Embedded(nn.functional.normalize(self.encoder(molecules).double(), dim=1), molecules)

    def situation(self, support: MoleculeBatch, settings: nn.ParameterDict) -> Situation:
        """What `settings`, those of classes or of values, depend on."""
        known = 0.0 if self.memory is None else float(self.memory.knows(support).double().mean())
        size = math.log(len(support) / _REFERENCE_SIZE)
        features = torch.tensor([1.0, size, known], dtype=torch.float64, device=support.device)
        return Situation(features, settings)

    def setting(self, name: str, situation: Situation) -> Tensor:
        """A positive setting: exp of its coefficients times the situation; []."""
        features, settings = situation
        return torch.exp(settings[name].to(features) @ features)

    def kernel(self, support: Embedded, other: Embedded, situation: Situation) -> Tensor:
        """Kernel between support and other molecules: [n_support, n]."""
        cosine = support.vectors @ other.vectors.T
        total = torch.zeros_like(cosine)
        if "linear" in self.kernels:
            total = total + self.setting("linear", situation) * cosine
        if "rbf" in self.kernels:
            length = self.setting("length", situation)
            total = total + self.setting("rbf", situation) * torch.exp((cosine - 1) / length**2)
        if "tanimoto" in self.kernels:
            similarity = support.pairs(tanimoto, other)
            total = total + self.setting("tanimoto", situation) * similarity.to(cosine)
        if self.memory is not None:
            shared = support.pairs(self.memory.kernel, other)
            total = total + self.setting("memory", situation) * shared
        return total

    def own_kernel(self, molecules: MoleculeBatch, situation: Situation) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Every kernel on structures is 1 between a molecule and itself.
        own = torch.stack([self.setting(name, situation) for name in self.kernels]).sum()
        if self.memory is None:
            return own
        return own + self.setting("memory", situation) * self.memory.own(molecules)

    def prior_mean(self, molecules: MoleculeBatch, situation: Situation) -> Tensor:
        """What is expected of each molecule before any support, next to the support's mean: [n]."""
        if self.memory is None:
            return torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        return self.setting("memory_mean", situation) * self.memory.mean(molecules)

    def resemblance(self, support: MoleculeBatch, targets: Tensor) -> Resemblance | None:
        """The meta-train assays that agree with `targets` [n_support]; None without a memory."""
        return None if self.memory is None else Resemblance.of(self.memory, support, targets)

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        n = len(labels)
        now = self.situation(support.molecules, self.settings)
        signs = 2 * labels.double() - 1
        targets = signs - self.prior_mean(support.molecules, now)
        mean = targets.sum() / (n + self.setting("prior", now))
        noise = self.setting("noise", now) * torch.eye(n).to(targets)
        factor = torch.linalg.cholesky(self.kernel(support, support, now) + noise)
        weights = torch.cholesky_solve((targets - mean)[:, None], factor)[:, 0]
        alike = self.resemblance(support.molecules, signs - signs.mean())

        def head(query: Embedded) -> Prediction:
            cross = self.kernel(support, query, now)
            f = mean + self.prior_mean(query.molecules, now) + weights @ cross
            if alike is not None:
                opinion = alike.opinion(query.molecules, self.setting("sharpness", now))
                f = f + self.setting("resemblance", now) * opinion
            explained = torch.linalg.solve_triangular(factor, cross, upper=False).square().sum(0)
            variance = (self.own_kernel(query.molecules, now) - explained).clamp(min=1e-6)
            spread = torch.sqrt(1 + self.setting("spread", now) * variance)
            scale = self.setting("scale", now) / spread
            return Prediction((scale * f).float(), (scale * variance.sqrt()).float())

        return head

    def fit_value_head(self, support: Embedded, values: Tensor, relations: Tensor) -> ValueHead:
        """The posterior given values [n_support] that differ, and their relations to the truth."""
        now = self.situation(support.molecules, self.value_settings)
        scale = Standard.of(values)
        standard = scale.shrink(values)
        targets = standard - self.prior_mean(support.molecules, now)
        level, noise = self.setting("level", now), self.setting("noise", now)
        process = posterior(level + self.kernel(support, support, now), targets, relations, noise)
        alike = self.resemblance(support.molecules, standard)

        def head(query: Embedded) -> ValuePrediction:
            cross = level + self.kernel(support, query, now)
            own = level + self.own_kernel(query.molecules, now)
            mean, variance = process.moments(cross, own)
            mean = mean + self.prior_mean(query.molecules, now)
            if alike is not None:
                opinion = alike.opinion(query.molecules, self.setting("sharpness", now))
                mean = mean + self.setting("resemblance", now) * opinion
            return scale.restored(mean, variance + noise)

        return head


def _settings(start: Mapping[str, float]) -> nn.ParameterDict:
    """Settings by name, each the coefficients of its logarithm: at `start` in every situation."""
    return nn.ParameterDict(
        {name: Setting(torch.tensor([math.log(value), 0.0, 0.0])) for name, value in start.items()}
    )
