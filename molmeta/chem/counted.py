"""What is counted in molecules: ECFP environments, motifs and quantum numbers, by id."""

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch

FIRST_MOTIF = 1 << 31
"""Id of the first motif; those of ECFP environments are their hashes, signed numbers of 32 bits."""

FIRST_NUMBER = 1 << 32
"""Id of the first quantum number."""

_COUNT_BITS = 8
MOST = (1 << _COUNT_BITS) - 1
"""Counts above it are taken for it."""


def counted(molecules: MoleculeBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Ids [k], int64, counts [k], 1 to `MOST`, and the molecule of each [k], ascending."""
    places = torch.arange(len(molecules), device=molecules.device)
    environments = places.repeat_interleave(molecules.ecfp_offsets.diff())
    motifs = places.repeat_interleave(molecules.motif_offsets.diff())
    rows, columns = molecules.descriptors.nonzero(as_tuple=True)
    numbers = molecules.descriptors[rows, columns].long().clamp(min=1, max=MOST)
    owners = torch.cat([environments, motifs, rows])
    order = torch.argsort(owners, stable=True)
    return (
        torch.cat(
            [
                molecules.ecfp_ids.long(),
                FIRST_MOTIF + molecules.motif_ids.long(),
                FIRST_NUMBER + columns,
            ]
        )[order],
        torch.cat([molecules.ecfp_counts.long(), molecules.motif_counts.long(), numbers])[order],
        owners[order],
    )


def levels(ids: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """A count c of id as the features (id, 0) ... (id, c - 1).

    Args:
        ids: [k], int64.
        counts: [k], int64.

    Returns:
        The features, packed into int64, and the place in `ids` of each: [sum of counts] each.
    """
    places = torch.arange(len(ids), device=ids.device).repeat_interleave(counts)
    firsts = counts.cumsum(0) - counts
    level = torch.arange(len(places), device=ids.device) - firsts[places]
    return (ids[places] << _COUNT_BITS) | level, places
