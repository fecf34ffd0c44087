"""Task: one assay, its molecules and what was measured for each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch


@dataclass(frozen=True, slots=True)
class LabeledMolecules:
    """Molecules of one assay with their labels: the support or the query of an episode."""

    molecules: MoleculeBatch
    labels: Tensor
    """[n], float32; 1 is active and 0 inactive."""

    def __len__(self) -> int:
        return len(self.molecules)

    def gather(self, rows: Tensor) -> LabeledMolecules:
        """The molecules at `rows` [k]."""
        return LabeledMolecules(self.molecules.gather(rows), self.labels[rows])

    def to(self, device: torch.device | str) -> LabeledMolecules:
        """The same on another device."""
        return LabeledMolecules(self.molecules.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True)
class MeasuredMolecules:
    """Molecules of one assay with their values, as a support to learn values from."""

    molecules: MoleculeBatch
    values: Tensor
    """[n], float32, in log units such as pIC50: higher is more potent."""
    relations: Tensor
    """[n], int8: 0 measured, 1 the truth is higher than the value, -1 it is lower."""

    def __len__(self) -> int:
        return len(self.molecules)

    def gather(self, rows: Tensor) -> MeasuredMolecules:
        """The molecules at `rows` [k]."""
        return MeasuredMolecules(
            self.molecules.gather(rows), self.values[rows], self.relations[rows]
        )

    def to(self, device: torch.device | str) -> MeasuredMolecules:
        """The same on another device."""
        return MeasuredMolecules(
            self.molecules.to(device), self.values.to(device), self.relations.to(device)
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One assay of an AssayStore, its rows in the order of the file they came from."""

    assay_id: str
    molecules: Tensor
    """[n], int64: rows of the store's `molecules`."""
    labels: Tensor
    """[n], float32; 1 is active and 0 inactive."""
    log_values: Tensor
    """[n], float32: minus log10 molar; NaN where the assay gives none."""
    relations: Tensor
    """[n], int8: how the *potency* (log value) relates to the truth: 0 measured, 1 the truth is
    higher, -1 it is lower. A concentration given as `> 10 uM` is a potency bounded from above."""

    def __len__(self) -> int:
        return self.labels.shape[0]

    def gather(self, rows: Tensor) -> Task:
        """The same assay with the rows at `rows` [k] alone."""
        return Task(
            self.assay_id,
            self.molecules[rows],
            self.labels[rows],
            self.log_values[rows],
            self.relations[rows],
        )

    @property
    def share_active(self) -> float:
        """Share of active rows, 0 to 1."""
        return float(self.labels.mean())
