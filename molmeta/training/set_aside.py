"""Meta-train assays that no weight is trained on, so that settings can be fitted on them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from molmeta.assays.episodes import can_split
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.training.schedule import mixed_seed


class Split(NamedTuple):
    """Meta-train assays in two parts, over one table of molecules."""

    trained: AssayStore
    aside: AssayStore
    places: tuple[int, ...]
    """Of the assays of `aside` among all, ascending."""


def set_aside(store: AssayStore, share: float, seed: int) -> Split:
    """Set a share of the assays of `store` aside, at random among those that an episode can split.

    One of those at least is set aside, and one is left.

    Args:
        store: meta-train assays.
        share: of all assays, above 0 and below 1.
        seed: of the choice.

    Raises:
        ConfigError: fewer than two assays can be split.
    """
    fitting = [place for place, task in enumerate(store) if can_split(task)]
    if len(fitting) < 2:
        raise ConfigError(
            "To calibrate, some assays are kept from the training. That takes two that can be "
            f"split into support and query, and {len(fitting)} of {len(store)} can: set "
            "calibration.steps to 0."
        )
    n = min(len(fitting) - 1, max(round(share * len(store)), 1))
    rng = np.random.default_rng(mixed_seed(seed, len(store), n))
    places = sorted(rng.permutation(fitting)[:n].tolist())
    rest = sorted(set(range(len(store))) - set(places))
    return Split(part(store, rest), part(store, places), tuple(places))


def part(store: AssayStore, places: list[int]) -> AssayStore:
    """The assays at `places`, as data of their own."""
    digest = hashlib.sha256(f"{store.sha256} {places}".encode()).hexdigest()
    return replace(store, tasks=tuple(store.tasks[place] for place in places), sha256=digest)
