"""Fit the weights of a WeightedTanimoto kernel: episodes of a Gaussian process on structures alone.

Beside learned kernels the gradient of an episode hardly reaches them, so they are fitted before
those join, in a few minutes: no encoder runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.assays.episodes import EpisodeBatch, EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.deepkernel import DeepKernel, DeepKernelConfig
from molmeta.learners.weighted_tanimoto import WeightedTanimoto, features_of, slots
from molmeta.training.schedule import learning_rate
from molmeta.training.stage import Stage, complete
from molmeta.training.stopping import StopSignals

_COUNTED_AT_A_TIME = 20_000


@dataclass(frozen=True, slots=True)
class FeatureWeightsConfig:
    """Settings of the fit; `steps = 0` leaves it out, and all features weigh the same."""

    steps: int = 0
    learning_rate: float = 0.02
    warmup_steps: int = 100
    shrinkage: float = 1e-6
    """Cost of a squared logarithm's distance from what the feature's frequency says. At 1e-5 novel
    chemistry gains less at 64 compounds, without any it loses at 16 (see benchmarks/NOTES.md)."""

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigError: naming the setting.
        """
        for name in ("steps", "warmup_steps", "shrinkage"):
            if getattr(self, name) < 0:
                raise ConfigError(f"feature_weights.{name} must not be below 0.")
        if self.learning_rate <= 0:
            raise ConfigError("feature_weights.learning_rate must be above 0.")


class StructuralProcess(DeepKernel):
    """A DeepKernel without embeddings, whose kernel on structures is to be weighted."""

    def __init__(self, rarity: Tensor) -> None:
        """Start from equal weights.

        Args:
            rarity: [n_slots], of each slot of the kernel's table.
        """
        smallest = EncoderConfig(graph=False, ecfp=False, hidden=1, dim=1)
        super().__init__(smallest, DeepKernelConfig(linear=0, rbf=0))
        self.rarity_powers = nn.Parameter(torch.zeros(2))
        self.deviations = nn.Parameter(torch.zeros(len(rarity)))
        self._powers = torch.stack([rarity, rarity.square()])

    def embed(self, molecules: MoleculeBatch) -> Embedded:
        """The molecules with no embedding, [n, 0]."""
        return Embedded(torch.zeros(len(molecules), 0, dtype=torch.float64), molecules)

    def log_weights(self) -> Tensor:
        """Of the kernel's features: what rarity says, and each one's own deviation; [n_slots]."""
        return self.rarity_powers @ self._powers + self.deviations

    def meta_loss(self, episodes: EpisodeBatch) -> Tensor:
        """The mean loss of the episodes with the weights as they are now."""
        self.fingerprint.log_weights = self.log_weights()
        return super().meta_loss(episodes)


class Weighing(Stage):
    """The steps of one fit."""

    name: ClassVar = "feature_weights"
    title: ClassVar = "feature weights"
    save_every: ClassVar = 500

    def __init__(
        self,
        process: StructuralProcess,
        store: AssayStore,
        sampler: EpisodeSampler,
        config: FeatureWeightsConfig,
        tasks_per_step: int,
    ) -> None:
        """Prepare the optimiser; the arguments are those of `fit_feature_weights`."""
        self.model: StructuralProcess = process
        self.optimizer = torch.optim.Adam(process.parameters())
        self.config: FeatureWeightsConfig = config
        self.run = {
            "config": asdict(config),
            "sampler": [sampler.seed, sampler.query_size, *sampler.support_sizes],
            "tasks": tasks_per_step,
            "data": store.sha256,
        }
        self._sampler, self._tasks_per_step = sampler, tasks_per_step

    def take_step(self, step: int) -> float:
        """Step number `step` on its episodes; their loss before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.config)
        loss = self.model.meta_loss(self._sampler.draw(step, self._tasks_per_step))
        shrunk = loss + self.config.shrinkage * self.model.deviations.square().sum()
        self.optimizer.zero_grad(set_to_none=True)
        shrunk.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.detach())


def fit_feature_weights(
    kernel: WeightedTanimoto,
    store: AssayStore,
    sampler: EpisodeSampler,
    config: FeatureWeightsConfig,
    tasks_per_step: int,
    folder: Path,
    stop: StopSignals,
) -> None:
    """Set the weights of `kernel` in place, once `complete` has taken all steps.

    Args:
        kernel: of the learner that is trained.
        store: meta-train assays, on the CPU.
        sampler: of episodes of `store`.
        config: with at least one step.
        tasks_per_step: episodes a step.
        folder: of the run; gets `feature_weights.safetensors` and `feature_weights.jsonl`.
        stop: looked at between steps; the caller looks too, and leaves.

    Raises:
        ConfigError: the folder holds the fit of other settings or other data.
    """
    process = StructuralProcess(_rarity(store.molecules, len(kernel.log_weights)))
    if complete(Weighing(process, store, sampler, config, tasks_per_step), folder, stop):
        kernel.log_weights.copy_(process.log_weights().detach())


def _rarity(molecules: MoleculeBatch, n_slots: int) -> Tensor:
    """Logarithm of how few molecules have a feature of each slot, [n_slots].

    It has mean 0 and deviation 1 over the slots that any molecule has.
    """
    counts = torch.zeros(n_slots, dtype=torch.int64)
    for start in range(0, len(molecules), _COUNTED_AT_A_TIME):
        end = min(start + _COUNTED_AT_A_TIME, len(molecules))
        features, _ = features_of(molecules.gather(torch.arange(start, end)))
        counts += torch.bincount(slots(features), minlength=n_slots)
    rarity = torch.log((len(molecules) + 1) / (counts + 1))
    of_any = rarity[counts > 0]
    return (rarity - of_any.mean()) / of_any.std()
