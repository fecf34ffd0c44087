"""Deep-kernel Gaussian process: a closed-form head on a learned and a structural kernel."""

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
from molmeta.learners.base import Embedded, Head, HeadLearner, Prediction
from molmeta.learners.space import Float, Range

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
    """Weight of the compound memory's kernel, added at adaptation and absent in meta-training;
    0 leaves it out."""
    memory_mean: float = 0.4
    """How far a known compound's mean meta-train label, -1..1, moves its prior mean."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a kernel.

        Raises:
            ConfigError: a negative weight, no kernel at all, or no noise.
        """
        weights = (self.linear, self.rbf, self.tanimoto)
        if min(*weights, self.memory) < 0 or sum(weights) == 0:
            raise ConfigError("A deep kernel needs weights of at least 0, one of them above 0.")
        if self.noise <= 0:
            raise ConfigError(f"learner.noise must be above 0, not {self.noise}.")


class DeepKernel(HeadLearner):
    """Gaussian process regression on the labels -1 and 1 (Patacchiola et al. 2020, "DKT").

    k = w1·cos(u, u') + w2·exp(-|u - u'|²/2ℓ²) + w3·Tanimoto, u the embedding at unit length;
    mean f = m + k(q, S)(K + σ²I)⁻¹(y - m), with m the shrunken mean label (Rasmussen & Williams
    2006, eq. 2.25 and 2.26). Departures: kernel weights, noise and output scale are meta-learned,
    each with a slope in the logarithm of the support size, so that the mixture follows the size;
    and the outer loss is the cross-entropy of s·f/√(1 + c·var f), the probit's shape (eq. 3.82),
    which makes the output a calibrated log odds without a calibration set. Outside meta-training
    a compound memory, where there is one, adds its kernel and its mean.
    """

    Config = DeepKernelConfig
    uses_memory = True
    # All else is learned as weights; the memory is absent in meta-training.
    search_space: ClassVar[Mapping[str, Range]] = {
        "memory": Float(0.0, 3.0),
        "memory_mean": Float(0.0, 1.5),
    }

    def __init__(
        self, encoder: EncoderConfig, config: DeepKernelConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        start = {"noise": config.noise, "length": 0.7, "scale": 2.0, "spread": 0.5, "prior": 2.0}
        weights = {"linear": config.linear, "rbf": config.rbf, "tanimoto": config.tanimoto}
        self.kernels = tuple(name for name, weight in weights.items() if weight > 0)
        start |= {name: weights[name] for name in self.kernels}
        self.levels = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(math.log(value))) for name, value in start.items()}
        )
        self.slopes = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in start})

    def setting(self, name: str, n_support: int) -> Tensor:
        """A positive setting at a support size: exp(level + slope·ln(n_support / 32))."""
        return torch.exp(
            self.levels[name] + self.slopes[name] * math.log(n_support / _REFERENCE_SIZE)
        )

    def embed(self, molecules: MoleculeBatch) -> Embedded:
        """The molecules with their embeddings [n, dim] at unit length, in double precision."""
        # The solve amplifies rounding: in float32 a score would depend on the batch it came in.
        return Embedded(nn.functional.normalize(self.encoder(molecules).double(), dim=1), molecules)

    def kernel(self, support: Embedded, other: Embedded) -> Tensor:
        """Kernel between support and other molecules: [n_support, n]."""
        n = len(support.molecules)
        cosine = support.vectors @ other.vectors.T
        total = torch.zeros_like(cosine)
        if "linear" in self.kernels:
            total = total + self.setting("linear", n) * cosine
        if "rbf" in self.kernels:
            length = self.setting("length", n)
            total = total + self.setting("rbf", n) * torch.exp((cosine - 1) / length**2)
        if "tanimoto" in self.kernels:
            similarity = tanimoto(support.molecules, other.molecules)
            total = total + self.setting("tanimoto", n) * similarity.to(cosine)
        if self.memory is not None:
            shared = self.memory.kernel(support.molecules, other.molecules)
            total = total + self.config.memory * shared
        return total

    def own_kernel(self, molecules: MoleculeBatch, n_support: int) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Every kernel on structures is 1 between a molecule and itself.
        own = torch.stack([self.setting(name, n_support) for name in self.kernels]).sum()
        if self.memory is None:
            return own
        known: Tensor = self.config.memory * self.memory.own(molecules)
        return own + known

    def prior_mean(self, molecules: MoleculeBatch) -> Tensor:
        """What is expected of each molecule before any support, next to the support's mean: [n]."""
        if self.memory is None:
            return torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        mean: Tensor = self.config.memory_mean * self.memory.mean(molecules)
        return mean

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        n = len(labels)
        targets = 2 * labels.double() - 1 - self.prior_mean(support.molecules)
        mean = targets.sum() / (n + self.setting("prior", n))
        noise = self.setting("noise", n) * torch.eye(n, dtype=targets.dtype, device=labels.device)
        factor = torch.linalg.cholesky(self.kernel(support, support) + noise)
        weights = torch.cholesky_solve((targets - mean)[:, None], factor)[:, 0]

        def head(query: Embedded) -> Prediction:
            cross = self.kernel(support, query)
            f = mean + self.prior_mean(query.molecules) + weights @ cross
            explained = torch.linalg.solve_triangular(factor, cross, upper=False).square().sum(0)
            own = self.own_kernel(query.molecules, n)
            variance = (own - explained).clamp(min=1e-6)
            scale = self.setting("scale", n) / torch.sqrt(1 + self.setting("spread", n) * variance)
            return Prediction((scale * f).float(), (scale * variance.sqrt()).float())

        return head
