"""Meta-train assays that no weight is trained on, so that settings can be fitted on them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from molmeta.assays.episodes import can_split
from molmeta.assays.store import AssayStore
from molmeta.training.schedule import mixed_seed


class Split(NamedTuple):
    """Meta-train assays in two parts, over one table of molecules."""

    trained: AssayStore
    aside: AssayStore
    places: tuple[int, ...]
    """Of the assays of `aside` among all, ascending."""


def set_aside(store: AssayStore, share: float, seed: int) -> Split:
    """Set a share of the assays of `store` aside, at random among those that an episode can split.

    Args:
        store: meta-train assays.
        share: of all assays, 0 to 1; above 0 it is one assay at least, where one can be split.
        seed: of the choice.
    """
    fitting = [place for place, task in enumerate(store) if can_split(task)]
    n = min(len(fitting), max(round(share * len(store)), int(share > 0)))
    rng = np.random.default_rng(mixed_seed(seed, len(store), n))
    places = sorted(rng.permutation(fitting)[:n].tolist())
    rest = sorted(set(range(len(store))) - set(places))
    return Split(_part(store, rest), _part(store, places), tuple(places))


def _part(store: AssayStore, places: list[int]) -> AssayStore:
    digest = hashlib.sha256(f"{store.sha256} {places}".encode()).hexdigest()
    return replace(store, tasks=tuple(store.tasks[place] for place in places), sha256=digest)
