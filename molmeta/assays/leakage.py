"""Leaks: what folds share with each other, or with what a model was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from molmeta.assays.store import AssayStore

_LISTED = 10
"""Shared assays of a pair that the table names."""


@dataclass(frozen=True, slots=True)
class Leakage:
    """What of one fold occurs in another fold, or was seen by a model."""

    n_molecules: int
    """Distinct molecules of the fold."""
    n_assays: int
    """Of the fold."""
    molecules: Tensor
    """[k], int64, ascending: identity keys of the fold's molecules that occur in the other."""
    molecules_without_stereo: Tensor | None
    """[l], int64, ascending: identity keys of those that occur there as any stereoisomer, or drawn
    flat; None where this is not known."""
    assays_by_id: tuple[str, ...] | None
    """Assays whose id the other has too; None for a model, which keeps no assays."""
    assays_by_content: tuple[tuple[str, str], ...] | None
    """Assay of the fold, and one of the other that has another id and the same molecules with the
    same labels; None for a model."""

    @property
    def n_shared_assays(self) -> int:
        """Assays that occur in the other, by id or by content."""
        return len(self.assays_by_id or ()) + len(self.assays_by_content or ())


def leaks_between(
    folds: Mapping[str, AssayStore],
    models: Mapping[str, Tensor] | None = None,
    *,
    stereo: bool = True,
) -> dict[tuple[str, str], Leakage]:
    """Every pair of a fold and another, or a fold and a model, with what they share.

    Args:
        folds: by name.
        models: by name, the identity keys of the molecules that each has seen.
        stereo: whether folds are compared without stereo as well. This reads molecules again (ten
            seconds for the 207,000 of FS-Mol), and needs the folds' `smiles`.

    Returns:
        By the names of the fold and of the other, in order.
    """
    keys = {name: fold.molecules.keys.cpu() for name, fold in folds.items()}
    flat = _flat_keys(folds) if stereo else {}
    contents = {name: _contents(fold) for name, fold in folds.items()}
    leaks = {}
    for one, other in permutations(folds, 2):
        assays = {content: name for name, content in reversed(contents[other].items())}
        twins = [
            (name, assays[content])
            for name, content in contents[one].items()
            if name not in contents[other] and content in assays
        ]
        leaks[one, other] = Leakage(
            n_molecules=len(torch.unique(keys[one])),
            n_assays=len(folds[one]),
            molecules=_shared(keys[one], keys[one], keys[other]),
            molecules_without_stereo=(
                _shared(keys[one], flat[one], flat[other]) if stereo else None
            ),
            assays_by_id=tuple(name for name in contents[one] if name in contents[other]),
            assays_by_content=tuple(twins),
        )
    for one in folds:
        for model, seen in (models or {}).items():
            leaks[one, model] = Leakage(
                n_molecules=len(torch.unique(keys[one])),
                n_assays=len(folds[one]),
                molecules=_shared(keys[one], keys[one], seen.cpu()),
                molecules_without_stereo=None,
                assays_by_id=None,
                assays_by_content=None,
            )
    return leaks


def table_of_leaks(leaks: Mapping[tuple[str, str], Leakage]) -> str:
    """A text table: a line a pair, and below it the assays that they share.

    A dash stands for what is not known.
    """
    lines = [["fold", "found in", "molecules", "without stereo", "assays by id", "by content"]]
    for (one, other), leak in leaks.items():
        molecules = (leak.molecules, leak.molecules_without_stereo)
        assays = (leak.assays_by_id, leak.assays_by_content)
        cells = [_share(found, leak.n_molecules) for found in molecules]
        cells += [_share(found, leak.n_assays) for found in assays]
        lines.append([one, other, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text += [
        f"Assays of {one} in {other}: {shared_assays(leak)}."
        for (one, other), leak in leaks.items()
        if leak.n_shared_assays
    ]
    return "\n".join(text)


def shared_assays(leak: Leakage) -> str:
    """The first assays that are shared, by name: `A, B, C (there called D) and 3 more`."""
    names = [
        *(leak.assays_by_id or ()),
        *(f"{name} (there called {twin})" for name, twin in leak.assays_by_content or ()),
    ]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _flat_keys(folds: Mapping[str, AssayStore]) -> dict[str, Tensor]:
    # Imported here: without this comparison a machine without RDKit can train.
    from molmeta.chem.stereo import keys_without_stereo

    stores = list(folds.values())
    keys = keys_without_stereo([s.molecules for s in stores], [s.smiles for s in stores])
    return dict(zip(folds, keys, strict=True))


def _contents(fold: AssayStore) -> dict[str, bytes]:
    """Assay id -> a hash of the assay's molecules with their labels, whatever their order."""
    keys = fold.molecules.keys.cpu()
    contents = {}
    for task in fold:
        rows = torch.stack([keys[task.molecules], task.labels.long()], dim=1)
        contents[task.assay_id] = hashlib.sha256(np.unique(rows, axis=0).tobytes()).digest()
    return contents


def _shared(identities: Tensor, keys: Tensor, others: Tensor) -> Tensor:
    found: Tensor = torch.unique(identities[torch.isin(keys, others)])
    return found


def _share(found: Tensor | Sequence[object] | None, n: int) -> str:
    if found is None:
        return "-"
    return f"{len(found):,} of {n:,}" + (f" ({len(found) / n:.1%})" if n else "")
