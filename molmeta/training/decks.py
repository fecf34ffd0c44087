"""Decks: compounds of one assay that are unlike one another, as those of a screening deck are.

Assays of the literature are series of analogues. Screens, panels of drugs and measurements of
solubility or toxicity are not, and settings that have only seen series trust small likenesses too
little or too much there. Compounds left out of a series make a deck of it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto

_MOST = 512
"""Compounds that are looked at; bounds the memory for similarities."""


def deck(molecules: MoleculeBatch, most_alike: float, rng: np.random.Generator) -> Tensor:
    """Rows of molecules of which no two are more alike than `most_alike`, ascending: [k].

    In random order each is taken that is not too like one taken before, so that none of those that
    were looked at could be added.

    Args:
        molecules: [n], at least one.
        most_alike: Tanimoto similarity (see `tanimoto`).
        rng: of the order.
    """
    rows = torch.from_numpy(rng.permutation(len(molecules))[:_MOST])
    some = molecules.gather(rows.to(molecules.device))
    too_like = (tanimoto(some, some) > most_alike).cpu().numpy()
    free = np.ones(len(rows), dtype=bool)
    taken = []
    for place in range(len(rows)):
        if free[place]:
            taken.append(place)
            free &= ~too_like[place]
    return rows[taken].sort().values
