"""Leave some assays to the episodes: the pre-training sees neither their labels nor molecules.

On assays that it was trained on, an encoder tells actives from inactives by heart, and an episode
there asks nothing of it. On fresh ones an episode asks what a new target will ask.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from molmeta.assays.episodes import can_split
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.training.schedule import mixed_seed
from molmeta.training.set_aside import part


class Division(NamedTuple):
    """Meta-train assays in two parts that share no molecule, over one table of molecules."""

    familiar: AssayStore
    """To pre-train on: what the molecules of the others leave of each assay."""
    fresh: AssayStore
    """For the episodes."""

    @property
    def sentence(self) -> str:
        """What is left for whom."""
        seen, kept = (_n_molecules(store) for store in self)
        return (
            f"Assays for the episodes alone: {len(self.fresh):,}, with {kept:,} molecules; for the "
            f"pre-training: {len(self.familiar):,}, with {seen:,}."
        )


def divide(store: AssayStore, share: float, seed: int) -> Division:
    """Keep a share of the assays fresh, at random among those that an episode can split.

    Args:
        store: meta-train assays.
        share: of all assays, above 0 and below 1; one of them at least.
        seed: of the choice.

    Raises:
        ConfigError: no assay can be split, or nothing would be left to pre-train on.
    """
    fitting = [place for place, task in enumerate(store) if can_split(task)]
    rng = np.random.default_rng(mixed_seed(seed, len(store), len(fitting)))
    places = sorted(rng.permutation(fitting)[: max(round(share * len(store)), 1)].tolist())
    fresh = part(store, places)
    is_fresh = torch.zeros(len(store.molecules), dtype=torch.bool)
    for task in fresh:
        is_fresh[task.molecules] = True
    others = part(store, sorted(set(range(len(store))) - set(places)))
    left = [task.gather(torch.nonzero(~is_fresh[task.molecules])[:, 0]) for task in others]
    familiar = replace(others, tasks=tuple(task for task in left if len(task)))
    if not len(fresh) or not len(familiar):
        raise ConfigError(
            f"Of {len(store)} assays {len(fresh)} are kept from the pre-training, and without "
            f"their compounds {len(familiar)} are left for it: set pretraining.fresh to 0, or give "
            "more assays."
        )
    return Division(familiar, fresh)


def _n_molecules(store: AssayStore) -> int:
    return len(torch.unique(torch.cat([task.molecules for task in store])))
