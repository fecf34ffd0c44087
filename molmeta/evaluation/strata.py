"""Strata: how much of each assay's chemistry a model has met in meta-training.

On assays whose molecules occur in the meta-train assays a method is paid for remembering them; only
the mostly novel ones tell what a user with new chemistry will see.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from molmeta.assays.store import AssayStore

NOVEL = "mostly_novel"
OVERLAPPING = "overlap>=0.5"


def shares_known(store: AssayStore, seen_keys: Tensor) -> dict[str, float]:
    """For each assay, the share of its distinct molecules that are among `seen_keys` [n_seen]."""
    keys = store.molecules.keys.cpu()
    shares = {}
    for task in store:
        molecules = torch.unique(keys[task.molecules])
        shares[task.assay_id] = float(torch.isin(molecules, seen_keys.cpu()).double().mean())
    return shares


def strata_of(shares: Mapping[str, float]) -> dict[str, str]:
    """The stratum of each assay by its share of known molecules: half or more, or less."""
    return {assay: OVERLAPPING if share >= 0.5 else NOVEL for assay, share in shares.items()}


def by_stratum(store: AssayStore, strata: Mapping[str, str]) -> dict[str, list[str]]:
    """Stratum -> the assays of the store that are in it; those without one are in none."""
    members: dict[str, list[str]] = {name: [] for name in sorted(set(strata.values()))}
    for task in store:
        if task.assay_id in strata:
            members[strata[task.assay_id]].append(task.assay_id)
    return {name: assays for name, assays in members.items() if assays}
