"""Deep-kernel Gaussian process: a closed-form head on a learned and a structural kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Head, HeadLearner, Prediction

_REFERENCE_SIZE = 32


@dataclass(frozen=True, slots=True)
class DeepKernelConfig:
    """Settings of a DeepKernel: the values that meta-training starts from."""

    linear: float = 0.5
    """Initial weight of the cosine kernel on the embedding; 0 leaves it out for good."""
    rbf: float = 0.5
    """Initial weight of the Gaussian kernel on the normalised embedding; 0 leaves it out."""
    tanimoto: float = 0.3
    """Initial weight of the Tanimoto kernel on ECFP counts; 0 leaves it out."""
    noise: float = 0.3
    """Initial variance of the label noise; labels are -1 and 1."""
    memory: float = 1.0
    """Initial weight of the compound memory's kernel, where there is a memory."""
    memory_mean: float = 0.4
    """Initial factor from a known compound's mean meta-train label, -1..1, to its prior mean."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a kernel.

        Raises:
            ConfigError: a negative weight, no kernel at all, or no noise.
        """
        weights = (self.linear, self.rbf, self.tanimoto)
        if min(weights) < 0 or sum(weights) == 0:
            raise ConfigError("A deep kernel needs weights of at least 0, one of them above 0.")
        for name in ("noise", "memory", "memory_mean"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"learner.{name} must be above 0, not {getattr(self, name)}.")


class DeepKernel(HeadLearner):
    """Gaussian process regression on the labels -1 and 1 (Patacchiola et al. 2020, "DKT").

    k = w1·cos(u, u') + w2·exp(-|u - u'|²/2ℓ²) + w3·Tanimoto, u the embedding at unit length;
    mean f = m + k(q, S)(K + σ²I)⁻¹(y - m), with m the shrunken mean label (Rasmussen & Williams
    2006, eq. 2.25 and 2.26). A compound memory, where there is one, adds its kernel to k and its
    mean to m. Departures: kernel weights, noise and output scale are meta-learned, each as a
    function of the support (see `situation`), so that the mixture follows its size and how much of
    it is known; and the loss is the cross-entropy of s·f/√(1 + c·var f), the probit's shape
    (eq. 3.82), which makes the output a calibrated log odds without a calibration set.
    """

    Config = DeepKernelConfig
    uses_memory = True

    def __init__(
        self, encoder: EncoderConfig, config: DeepKernelConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        start = {"length": 0.7, "scale": 2.0, "spread": 0.5, "prior": 2.0}
        start |= {name: getattr(config, name) for name in ("noise", "memory", "memory_mean")}
        weights = {"linear": config.linear, "rbf": config.rbf, "tanimoto": config.tanimoto}
        self.kernels = tuple(name for name, weight in weights.items() if weight > 0)
        start |= {name: weights[name] for name in self.kernels}
        self.settings = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor([math.log(value), 0.0, 0.0]))
                for name, value in start.items()
            }
        )

    def embed(self, molecules: MoleculeBatch) -> Embedded:
        """The molecules with their embeddings [n, dim] at unit length, in double precision."""
        # The solve amplifies rounding: in float32 a score would depend on the batch it came in.
        return Embedded(nn.functional.normalize(self.encoder(molecules).double(), dim=1), molecules)

    def situation(self, support: MoleculeBatch) -> Tensor:
        """What the settings depend on: 1, ln(n_support / 32), share known to the memory; [3]."""
        known = 0.0 if self.memory is None else float(self.memory.knows(support).double().mean())
        size = math.log(len(support) / _REFERENCE_SIZE)
        return torch.tensor([1.0, size, known], dtype=torch.float64, device=support.device)

    def setting(self, name: str, situation: Tensor) -> Tensor:
        """A positive setting: exp of its coefficients times the situation; []."""
        return torch.exp(self.settings[name].to(situation) @ situation)

    def kernel(self, support: Embedded, other: Embedded, situation: Tensor) -> Tensor:
        """Kernel between support and other molecules: [n_support, n]."""
        cosine = support.vectors @ other.vectors.T
        total = torch.zeros_like(cosine)
        if "linear" in self.kernels:
            total = total + self.setting("linear", situation) * cosine
        if "rbf" in self.kernels:
            length = self.setting("length", situation)
            total = total + self.setting("rbf", situation) * torch.exp((cosine - 1) / length**2)
        if "tanimoto" in self.kernels:
            similarity = tanimoto(support.molecules, other.molecules)
            total = total + self.setting("tanimoto", situation) * similarity.to(cosine)
        if self.memory is not None:
            shared = self.memory.kernel(support.molecules, other.molecules)
            total = total + self.setting("memory", situation) * shared
        return total

    def own_kernel(self, molecules: MoleculeBatch, situation: Tensor) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Every kernel on structures is 1 between a molecule and itself.
        own = torch.stack([self.setting(name, situation) for name in self.kernels]).sum()
        if self.memory is None:
            return own
        return own + self.setting("memory", situation) * self.memory.own(molecules)

    def prior_mean(self, molecules: MoleculeBatch, situation: Tensor) -> Tensor:
        """What is expected of each molecule before any support, next to the support's mean: [n]."""
        if self.memory is None:
            return torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        return self.setting("memory_mean", situation) * self.memory.mean(molecules)

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        n = len(labels)
        now = self.situation(support.molecules)
        targets = 2 * labels.double() - 1 - self.prior_mean(support.molecules, now)
        mean = targets.sum() / (n + self.setting("prior", now))
        noise = self.setting("noise", now) * torch.eye(n, dtype=now.dtype, device=labels.device)
        factor = torch.linalg.cholesky(self.kernel(support, support, now) + noise)
        weights = torch.cholesky_solve((targets - mean)[:, None], factor)[:, 0]

        def head(query: Embedded) -> Prediction:
            cross = self.kernel(support, query, now)
            f = mean + self.prior_mean(query.molecules, now) + weights @ cross
            explained = torch.linalg.solve_triangular(factor, cross, upper=False).square().sum(0)
            variance = (self.own_kernel(query.molecules, now) - explained).clamp(min=1e-6)
            spread = torch.sqrt(1 + self.setting("spread", now) * variance)
            scale = self.setting("scale", now) / spread
            return Prediction((scale * f).float(), (scale * variance.sqrt()).float())

        return head
