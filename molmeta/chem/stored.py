"""MoleculeBatch from arrays that came out of a file, of which nothing is known yet."""

import reprlib
from collections.abc import Mapping
from dataclasses import fields

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.vocabulary import ATOM_COLUMNS, BOND_COLUMNS, N_DESCRIPTORS
from molmeta.errors import InputError

_RAGGED: dict[str, dict[str, tuple[torch.dtype, tuple[int, ...]]]] = {
    "atom_offsets": {"atoms": (torch.uint8, (len(ATOM_COLUMNS),))},
    "bond_offsets": {
        "bonds": (torch.int16, (2,)),
        "bond_features": (torch.uint8, (len(BOND_COLUMNS),)),
    },
    "ecfp_offsets": {"ecfp_ids": (torch.int32, ()), "ecfp_counts": (torch.uint8, ())},
    "motif_offsets": {"motif_ids": (torch.int16, ()), "motif_counts": (torch.uint8, ())},
}
"""Offsets -> the arrays they divide, each with its dtype and the shape of a row."""


def batch_from_arrays(arrays: Mapping[str, Tensor], n: int) -> MoleculeBatch:
    """The batch of n molecules whose `tensors()` were `arrays`, every index in it in its range.

    Arrays that pass can be gathered and encoded without an index running out of its array.

    Raises:
        InputError: an array is missing, unknown, of another dtype or shape, or holds what no
            molecule can have.
    """
    names = {field.name for field in fields(MoleculeBatch)}
    if set(arrays) != names:
        some = min(names ^ set(arrays))
        raise InputError(
            f"The stored molecules lack the array {reprlib.repr(some)}, or hold it and should not."
        )
    _require(arrays, "keys", torch.int64, (n,))
    _require(arrays, "descriptors", torch.int16, (n, N_DESCRIPTORS))
    for name, divided in _RAGGED.items():
        offsets = _require(arrays, name, torch.int64, (n + 1,))
        if int(offsets[0]) != 0 or bool((offsets[1:] < offsets[:-1]).any()):
            raise InputError(f"The stored {name} do not ascend from 0.")
        for array, (dtype, row) in divided.items():
            _require(arrays, array, dtype, (int(offsets[-1]), *row))
    batch = MoleculeBatch(**arrays)
    n_atoms = batch.atom_offsets.diff().repeat_interleave(batch.bond_offsets.diff())
    possible = (
        (batch.atoms < torch.tensor(list(ATOM_COLUMNS.values()))).all()
        & (batch.bond_features < torch.tensor(list(BOND_COLUMNS.values()))).all()
        & (batch.bonds >= 0).all()
        & (batch.bonds < n_atoms[:, None]).all()
    )
    if not bool(possible):
        raise InputError("The stored molecules have atoms or bonds that no molecule can have.")
    return batch


def _require(
    arrays: Mapping[str, Tensor], name: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> Tensor:
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        raise InputError(
            f"The stored {name} are {array.dtype} of shape {list(array.shape)}, "
            f"and should be {dtype} of shape {list(shape)}."
        )
    return array
