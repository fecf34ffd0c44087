"""Multitask pre-training: the encoder learns every meta-train assay at once, before any episode.

Episodes alone start badly: next to a Tanimoto kernel an untrained embedding is noise, and the outer
loop first learns to switch it off. The mean cosine between molecules rises to 0.98 within 250
steps, and validation stays at the Tanimoto kernel's own figure.

Beside the assays the encoder may learn properties that RDKit computes: they cost no measurement,
tell of every molecule alike, and keep it from learning assays by heart alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError
from molmeta.training.computed_properties import N_PROPERTIES, computed_properties
from molmeta.training.schedule import learning_rate, mixed_seed, parameter_groups
from molmeta.training.stage import Stage, complete
from molmeta.training.stopping import StopSignals

GRADIENT_CLIP = 1.0


@dataclass(frozen=True, slots=True)
class PretrainingConfig:
    """Settings of the pre-training; `steps = 0` leaves it out."""

    steps: int = 0
    batch_size: int = 1024
    """Molecules a step, each with all its labels."""
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    fresh: float = 0.0
    """Share of the assays that are left to the episodes (see `divide`); 0 pre-trains on all, and
    the episodes are of all."""
    properties: float = 0.0
    """Weight of the error in computed properties (see `computed_properties`) beside that in labels;
    0 leaves them out."""

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigError: naming the setting.
        """
        for name in ("steps", "warmup_steps", "weight_decay", "properties"):
            if getattr(self, name) < 0:
                raise ConfigError(f"pretraining.{name} must not be below 0.")
        for name in ("batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"pretraining.{name} must be above 0.")
        if not 0 <= self.fresh < 1:
            raise ConfigError("pretraining.fresh must be at least 0 and below 1.")


class MultitaskModel(nn.Module):
    """Heads on a shared encoder (Caruana 1997).

    One logistic head an assay on the embedding at unit length, and one linear head for computed
    properties on the hidden states before it, which have room for what no assay asks.
    """

    def __init__(self, encoder: FusedEncoder, prior_logits: Tensor) -> None:
        """Start each assay's head at its own log odds.

        Args:
            encoder: trained in place.
            prior_logits: [n_tasks].
        """
        super().__init__()
        self.encoder = encoder
        self.directions = nn.Embedding(len(prior_logits), encoder.dim)
        nn.init.normal_(self.directions.weight, std=encoder.dim**-0.5)
        self.biases = nn.Parameter(prior_logits.clone())
        self.log_scale = nn.Parameter(torch.tensor(1.5))
        self.properties = nn.Linear(encoder.config.hidden, N_PROPERTIES)

    def forward(
        self, molecules: MoleculeBatch, rows: Tensor, tasks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the heads say of molecules.

        Args:
            molecules: [n].
            rows: [n_labels], of the molecule of each label.
            tasks: [n_labels], the assay of each label.

        Returns:
            The logit of each label, [n_labels]; the properties, [n, N_PROPERTIES].
        """
        states = self.encoder.last_states(molecules)
        vectors = nn.functional.normalize(self.encoder.embedding_of(states), dim=1)
        products = (vectors[rows] * self.directions(tasks)).sum(1)
        logits: Tensor = self.log_scale.exp() * products + self.biases[tasks]
        return logits, self.properties(states)


@dataclass(frozen=True, slots=True)
class LabelTable:
    """All labels of a store, sorted by molecule."""

    offsets: Tensor
    """[n_molecules + 1], int64: the labels of molecule i are rows offsets[i] to offsets[i + 1]."""
    tasks: Tensor
    """[n_labels], int64."""
    labels: Tensor
    """[n_labels], float32."""

    @classmethod
    def of(cls, store: AssayStore) -> LabelTable:
        """The labels of every task of `store`."""
        molecules = torch.cat([task.molecules for task in store])
        tasks = torch.cat([torch.full((len(task),), i) for i, task in enumerate(store)])
        labels = torch.cat([task.labels for task in store])
        order = torch.argsort(molecules, stable=True)
        counts = torch.bincount(molecules, minlength=len(store.molecules))
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return cls(offsets, tasks[order], labels[order])

    def rows_of(self, molecules: Tensor) -> tuple[Tensor, Tensor]:
        """For `molecules` [k]: the place 0..k-1 of each label's molecule, and the label's row."""
        starts = self.offsets[molecules]
        counts = self.offsets[molecules + 1] - starts
        places = torch.arange(len(molecules)).repeat_interleave(counts)
        firsts = (counts.cumsum(0) - counts).repeat_interleave(counts)
        return places, starts.repeat_interleave(counts) + torch.arange(len(places)) - firsts


class Pretraining(Stage):
    """The steps of one pre-training, which need the seed and their number to be the same again."""

    name: ClassVar = "pretraining"
    title: ClassVar = "a pre-training"
    save_every: ClassVar = 200

    def __init__(
        self, encoder: FusedEncoder, store: AssayStore, config: PretrainingConfig, seed: int
    ) -> None:
        """Prepare heads and optimiser for `encoder`, which the steps train in place.

        Raises:
            ConfigError: properties are asked for of a store that does not hold its SMILES.
        """
        self.config: PretrainingConfig = config
        self.seed, self.store = seed, store
        self.run = {"config": asdict(config), "seed": seed, "data": store.sha256}
        torch.manual_seed(seed)
        shares = torch.tensor([task.share_active for task in store])
        prior_logits = torch.logit(shares.clamp(0.02, 0.98))
        self.table = LabelTable.of(store)
        self.labelled = torch.nonzero(self.table.offsets.diff())[:, 0]
        self.model = MultitaskModel(encoder, prior_logits).to(store.molecules.device)
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model, config.weight_decay))
        if config.properties:
            self.properties = computed_properties(store, self.labelled)

    def take_step(self, step: int) -> float:
        """Step number `step` on the next batch of molecules; the loss before it."""
        device = self.store.molecules.device
        batch = self._batch(step)
        rows, places = self.table.rows_of(batch)
        labels = self.table.labels[places].to(device)
        # Dropout follows from the seed and the step, so that resuming changes nothing.
        torch.manual_seed(mixed_seed(self.seed, step))
        rate = learning_rate(step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        logits, properties = self.model(
            self.store.molecules.gather(batch.to(device)),
            rows.to(device),
            self.table.tasks[places].to(device),
        )
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        if self.config.properties:
            computed = self.properties[batch].to(device)
            known = ~computed.isnan()
            error = nn.functional.smooth_l1_loss(properties[known], computed[known])
            loss = loss + self.config.properties * error
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_CLIP)
        if torch.isfinite(norm):
            self.optimizer.step()
        return float(loss.detach())

    def _batch(self, step: int) -> Tensor:
        """Molecules of step `step`: every labelled molecule once an epoch, in random order."""
        size = min(self.config.batch_size, len(self.labelled))
        epoch, place = divmod(step, len(self.labelled) // size)
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch, 0))
        order = torch.randperm(len(self.labelled), generator=generator)
        return self.labelled[order[place * size : (place + 1) * size]]


def pretrain(
    encoder: FusedEncoder,
    store: AssayStore,
    config: PretrainingConfig,
    seed: int,
    folder: Path,
    stop: StopSignals,
) -> None:
    """Train `encoder` in place, as `complete` does it.

    Args:
        encoder: on the device of `store.molecules`.
        store: meta-train assays.
        config: with at least one step.
        seed: of the batches and of dropout.
        folder: of the run; gets `pretraining.safetensors` and `pretraining.jsonl`.
        stop: looked at between steps; the caller looks too, and leaves.

    Raises:
        ConfigError: the folder holds the pre-training of other settings or other data; properties
            are asked for of a store that does not hold its SMILES.
    """
    complete(Pretraining(encoder, store, config, seed), folder, stop)
