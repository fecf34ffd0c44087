"""Which support compounds an answer comes from, and how much of it each brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto
from molmeta.errors import SupportError
from molmeta.learners.parts import AVERAGE, RECORD, RESEMBLANCE, UNLIKENESS
from molmeta.target import TargetModel


class Method(StrEnum):
    """How the shares of the support compounds were found."""

    EXACT = "exact"
    """The method's answer is a sum over them: base and shares add up to it."""
    LEFT_OUT = "left out"
    """The answer minus that of the model adapted without the compound; they add up to nothing."""
    NEAREST = "nearest"
    """From actives alone: the answer is the similarity to the nearest, and all of it is its."""


MEANING: Final = {
    AVERAGE: "what any compound gets, from your support",
    RECORD: "what public assays said of this very compound",
    UNLIKENESS: "how far it is from all of your compounds",
    RESEMBLANCE: "what those of them said that agree with yours",
}
"""Name of a part that no single support compound brings -> what it is, in 48 characters at most."""


@dataclass(frozen=True, slots=True)
class SupportShares:
    """What the answers for several molecules are made of."""

    method: Method
    base: Mapping[str, Tensor]
    """What no single support compound brings: name -> [n]; empty unless exact."""
    shares: Tensor
    """[n_support, n], double, in the unit of the answer."""
    by_kernel: Mapping[str, Tensor]
    """What adds up to the shares, by how molecules are alike: name -> [n_support, n]; empty unless
    exact."""


def support_shares(target: TargetModel, molecules: MoleculeBatch) -> SupportShares:
    """The shares of the target's support compounds in its answers for `molecules` [n]."""
    parts = target.parts(molecules)
    if parts is not None:
        shares = torch.stack([*parts.support.values()]).sum(0)
        return SupportShares(Method.EXACT, parts.base, shares, parts.support)
    if isinstance(target.support, LabeledMolecules) and not target.has_both_classes:
        return SupportShares(Method.NEAREST, {}, _nearest(target, molecules), {})
    return SupportShares(Method.LEFT_OUT, {}, _left_out(target, molecules), {})


def _nearest(target: TargetModel, molecules: MoleculeBatch) -> Tensor:
    similarity = tanimoto(target.support.molecules, molecules).double()
    nearest = torch.zeros_like(similarity)
    return nearest.scatter(0, similarity.argmax(0)[None], similarity.amax(0)[None])


def _left_out(target: TargetModel, molecules: MoleculeBatch) -> Tensor:
    """The answer minus that without each support compound; NaN where none can be given without."""
    whole = target.merits(molecules).double()
    places = torch.arange(len(target.support), device=whole.device)
    shares = torch.full((len(places), len(whole)), torch.nan, dtype=whole.dtype)
    for place in places:
        try:
            without = target.of_support(places[places != place])
        except SupportError:  # of values: what is left does not differ
            continue
        # The only one of its class: what is left would rank by similarity, another scale.
        if without.predicts_values or without.has_both_classes:
            shares[place] = (whole - without.merits(molecules).double()).cpu()
    return shares
