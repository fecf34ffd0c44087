"""The support set of a model file: to arrays and back, which are not trusted."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.chem.stored import batch_from_arrays
from molmeta.errors import CheckpointError

Support = LabeledMolecules | MeasuredMolecules


def support_arrays(support: Support) -> dict[str, Tensor]:
    """Its molecules and what was measured of them, by field."""
    molecules = support.molecules.tensors()
    if isinstance(support, MeasuredMolecules):
        return {**molecules, "values": support.values, "relations": support.relations}
    return {**molecules, "labels": support.labels}


def support_from_arrays(stored: Mapping[str, Tensor], n: int) -> Support:
    """The support of `n` compounds that `support_arrays` gave, once it is known to be one.

    Raises:
        CheckpointError: what makes no support, after the words "cannot be used as a model:".
    """
    names = ("values", "relations") if "values" in stored else ("labels",)
    measured = [stored.get(name, torch.empty(0)) for name in names]
    for name, array in zip(names, measured, strict=True):
        dtype = torch.int8 if name == "relations" else torch.float32
        if array.dtype != dtype or array.shape != (n,):
            raise CheckpointError(
                f"it has {name} of shape {list(array.shape)} and type {array.dtype} for {n} "
                f"support compounds; it should have one {str(dtype).removeprefix('torch.')} each."
            )
    of_molecules = {name: array for name, array in stored.items() if name not in names}
    molecules = batch_from_arrays(of_molecules, n)
    if len(measured) == 1:
        labels = measured[0]
        if not bool(((labels == 0) | (labels == 1)).all()):
            raise CheckpointError("its support labels are not all 0 or 1.")
        return LabeledMolecules(molecules, labels)
    values, relations = measured
    if not bool((relations.abs() <= 1).all()):
        raise CheckpointError("its support relations are not all -1, 0 or 1.")
    return MeasuredMolecules(molecules, values, relations)
