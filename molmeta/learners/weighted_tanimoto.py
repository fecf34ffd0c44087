"""Tanimoto similarity of counted features, each with a weight that meta-training learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.counted import counted, levels

_TABLE_BITS = 17
# Fibonacci hashing (Knuth, TAOCP 3, 6.4): 2^64 / golden ratio, odd, as a signed number.
_GOLDEN = -7046029254386353131


class WeightedTanimoto(nn.Module):
    """k(x, y) = Σ_f w_f min(x_f, y_f) / Σ_f w_f max(x_f, y_f), positive semi-definite, 1 for x = y.

    f runs over ECFP4 environments, motifs and molecular quantum numbers, a count c written as the
    features (id, 1) ... (id, c), so that the second nitrogen may weigh less than the first. Which
    of two molecules' differences matter is much the same from assay to assay: common environments
    and sizes more than the plain sum has it, rare ones less, and some not at all. That is what the
    weights hold, found by the episodes' loss (see `training.feature_weights`); all alike, they give
    the plain similarity (Swamidass et al. 2005, MinMax).
    """

    log_weights: Tensor
    """[2^17], float32: natural logarithms, by hash of (id, level)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_weights", torch.zeros(1 << _TABLE_BITS))

    def forward(self, left: MoleculeBatch, right: MoleculeBatch) -> Tensor:
        """The kernel between molecules; put the fewer ones on the left.

        Returns:
            [len(left), len(right)], float32 in 0..1.
        """
        left_features, left_rows = features_of(left)
        left_weights = self.weights(left_features)
        right_features, right_rows, right_weights = left_features, left_rows, left_weights
        if right is not left:
            right_features, right_rows = features_of(right)
            right_weights = self.weights(right_features)
        known, columns = torch.unique(left_features, return_inverse=True)
        left_matrix = left_weights.new_zeros(len(left), len(known))
        left_matrix = left_matrix.index_put((left_rows, columns), left_weights)

        place = torch.searchsorted(known, right_features).clamp(max=len(known) - 1)
        shared = known[place] == right_features
        right_matrix = left_matrix.new_zeros(len(right), len(known))
        right_matrix[right_rows[shared], place[shared]] = 1.0

        both = left_matrix @ right_matrix.T
        left_total = both.new_zeros(len(left)).index_add(0, left_rows, left_weights)
        right_total = both.new_zeros(len(right)).index_add(0, right_rows, right_weights)
        return both / (left_total[:, None] + right_total[None] - both)

    def weights(self, features: Tensor) -> Tensor:
        """Weight of each feature [k], packed as `levels` does: [k]."""
        return torch.exp(self.log_weights)[slots(features)]


def slots(features: Tensor) -> Tensor:
    """Place of each packed feature [k] in the table of weights: [k], int64."""
    return ((features * _GOLDEN) >> (64 - _TABLE_BITS)) & ((1 << _TABLE_BITS) - 1)


def features_of(molecules: MoleculeBatch) -> tuple[Tensor, Tensor]:
    """Features of the molecules [k], packed as `levels` does, and the molecule of each [k]."""
    ids, counts, owners = counted(molecules)
    features, places = levels(ids, counts)
    return features, owners[places]


def structural_kernel(learner: nn.Module) -> WeightedTanimoto | None:
    """The learner's kernel on structures; None where it has no weighted one."""
    return next((m for m in learner.modules() if isinstance(m, WeightedTanimoto)), None)
