"""How alike molecules are by their fingerprints, as tensors on any device."""

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch

_COUNT_BITS = 8


def tanimoto(left: MoleculeBatch, right: MoleculeBatch) -> Tensor:
    """Tanimoto similarity of unfolded ECFP counts, Σ min / Σ max (Swamidass et al. 2005, MinMax).

    A count c is written as the c features (id, 1) ... (id, c), which makes the sum of minima a
    product of two 0/1 matrices; only features of `left` can be shared, so put the support there.

    Returns:
        [len(left), len(right)], float32 in 0..1.
    """
    left_features, left_rows = _unary(left)
    right_features, right_rows = _unary(right)
    known, columns = torch.unique(left_features, return_inverse=True)
    left_matrix = torch.zeros(len(left), len(known), device=left.device)
    left_matrix[left_rows, columns] = 1.0

    place = torch.searchsorted(known, right_features).clamp(max=max(len(known) - 1, 0))
    shared = (known[place] == right_features) if len(known) else torch.zeros_like(place).bool()
    right_matrix = torch.zeros(len(right), len(known), device=left.device)
    right_matrix[right_rows[shared], place[shared]] = 1.0

    both = left_matrix @ right_matrix.T
    totals = _totals(left_rows, len(left))[:, None] + _totals(right_rows, len(right))[None]
    return both / (totals - both).clamp(min=1.0)


def folded_counts(molecules: MoleculeBatch, n_bits: int) -> Tensor:
    """ECFP counts folded to `n_bits` (a power of two) by the hash's low bits: [n, n_bits]."""
    rows = _row_of_feature(molecules)
    # The low bits of a two's complement number are those of the unsigned hash.
    columns = molecules.ecfp_ids.long() & (n_bits - 1)
    counts = torch.zeros(len(molecules) * n_bits, device=molecules.device)
    counts.index_add_(0, rows * n_bits + columns, molecules.ecfp_counts.float())
    return counts.view(len(molecules), n_bits)


def _unary(molecules: MoleculeBatch) -> tuple[Tensor, Tensor]:
    """Features [k] as (id, level) packed in int64, and the molecule [k] each belongs to."""
    counts = molecules.ecfp_counts.long()
    ids = molecules.ecfp_ids.long().repeat_interleave(counts)
    ends = counts.cumsum(0)
    level = torch.arange(len(ids), device=ids.device) - (ends - counts).repeat_interleave(counts)
    rows = _row_of_feature(molecules).repeat_interleave(counts)
    return (ids << _COUNT_BITS) | level, rows


def _row_of_feature(molecules: MoleculeBatch) -> Tensor:
    places = torch.arange(len(molecules), device=molecules.device)
    return places.repeat_interleave(molecules.ecfp_offsets.diff())


def _totals(rows: Tensor, n: int) -> Tensor:
    return torch.bincount(rows, minlength=n).float()
