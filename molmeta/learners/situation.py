"""Settings that follow the situation: the size of a support, and what is known of it beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.setting import Setting

_REFERENCE_SIZE = 32
_MANY_ASSAYS = math.log(300)
"""ln of the assays that measured a compound of a large panel."""
_USUAL, _SPREAD = 0.6, 5.0
"""Mean similarity of two compounds of an assay, and what brings it to about -1 to 1."""

Settings = Mapping[str, Tensor]
"""Settings as one support has them: name -> [], above 0."""


def situation(support: MoleculeBatch, memory: CompoundMemory | None, similarity: Tensor) -> Tensor:
    """What settings depend on: [6], double.

    1; ln(n_support / 32); the share of the support that the memory knows; how well it knows them,
    the mean of ln(1 + assays) / ln 300; 1 where there is no memory, because strangers to a
    memory are new chemistry, on which a learned embedding says little, and without one anything
    may be a stranger; and how alike the compounds are, because a series and a screening deck want
    different kernels.

    Args:
        support: two compounds at least.
        memory: of the learner.
        similarity: [n_support, n_support], of their structures.
    """
    known, depth, without = 0.0, 0.0, 1.0
    if memory is not None:
        n_assays = memory.n_assays(support)
        known, without = float((n_assays > 0).double().mean()), 0.0
        depth = float(torch.log1p(n_assays).mean()) / _MANY_ASSAYS
    size = math.log(len(support) / _REFERENCE_SIZE)
    pairs = len(support) * (len(support) - 1)
    alike = float(similarity.sum() - similarity.diagonal().sum()) / pairs
    parts = [1.0, size, known, depth, without, _SPREAD * (alike - _USUAL)]
    return torch.tensor(parts, dtype=torch.float64, device=support.device)


def situational(start: Mapping[str, float]) -> nn.ParameterDict:
    """Settings by name, each the coefficients of its logarithm: at `start` in every situation."""
    return nn.ParameterDict(
        {name: Setting(torch.tensor([math.log(start[name]), 0, 0, 0, 0, 0])) for name in start}
    )


def settings_in(now: Tensor, settings: nn.ParameterDict) -> Settings:
    """Each of `settings` in the situation `now` [6]: exp of its coefficients times `now`."""
    return {name: torch.exp(settings[name].to(now) @ now) for name in settings}
