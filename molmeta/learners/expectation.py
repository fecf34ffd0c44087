"""Expectation: how active a compound's structure lets expect it, whatever the assay."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.weighted_tanimoto import N_SLOTS, features_of, slots


class Expectation(nn.Module):
    """g(x) = Σ_f b_f x_f: the grade that assays usually give to what has these features.

    f runs over the features of WeightedTanimoto. Medicinal chemistry has its habits: what is large
    enough, or has the groups that chemists keep, is more often the active one of two compounds of
    an assay, on any target. A support of sixteen is too small to find that out anew, so that it is
    learned from all assays at once (see `training.expectation`) and is where the prior mean starts.
    """

    grades: Tensor
    """[2^17], float32: by hash of (id, level); all 0 before they are fitted."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grades", torch.zeros(N_SLOTS))

    def forward(self, molecules: MoleculeBatch) -> Tensor:
        """The grade that is expected of each molecule beside others, -1 to 1 or so: [n], double."""
        features, rows = features_of(molecules)
        expected = torch.zeros(len(molecules), dtype=torch.float64, device=molecules.device)
        return expected.index_add(0, rows, self.grades[slots(features)].double())


def expectation_of(learner: nn.Module) -> Expectation | None:
    """The learner's expectation; None where it has none."""
    return next((m for m in learner.modules() if isinstance(m, Expectation)), None)
