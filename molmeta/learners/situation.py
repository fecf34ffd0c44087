"""Settings that follow the situation: the size of a support, and what is known of it beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.setting import Setting
from molmeta.learners.size_law import REFERENCE_SIZE

_MANY_ASSAYS = math.log(300)
"""ln of the assays that measured a compound of a large panel."""
_ONE_PAPER = 0.15
"""Share of pairs measured by one assay from which on the knowledge counts in full."""
_USUAL, _SPREAD = 0.6, 5.0
"""Mean similarity of two compounds of an assay, and what brings it to about -1 to 1."""
_ABSENCE = 4
"""Place in a situation of how far the memory counts as none."""
_OF_MEMORY = ("memory", "memory_mean", "resemblance")
"""Settings that say how much the memory counts."""

Settings = Mapping[str, Tensor]
"""Settings as one support has them: name -> [], above 0."""


def situation(
    support: MoleculeBatch, memory: CompoundMemory | None, similarity: Tensor, elsewhere: float
) -> Tensor:
    """What settings depend on: [6], double.

    1; ln(n_support / 32); the share of the support that the memory knows; how well it knows them,
    the mean of ln(1 + assays) / ln 300; how far the memory counts as none (see `absence`), because
    strangers to a memory are new chemistry, on which a learned embedding says little, and without
    one anything may be a stranger; and how alike the compounds are, because a series and a
    screening deck want different kernels.

    Args:
        support: two compounds at least.
        memory: of the learner.
        similarity: [n_support, n_support], of their structures.
        elsewhere: how far what the memory knows from elsewhere is left out (see `absence`).
    """
    known, depth, without = 0.0, 0.0, absence(support, memory, elsewhere)
    if memory is not None:
        n_assays = memory.n_assays(support)
        known = float((n_assays > 0).double().mean()) * (1 - without)
        depth = float(torch.log1p(n_assays).mean()) / _MANY_ASSAYS * (1 - without)
    size = math.log(len(support) / REFERENCE_SIZE)
    pairs = len(support) * (len(support) - 1)
    alike = float(similarity.sum() - similarity.diagonal().sum()) / pairs
    parts = [1.0, size, known, depth, without, _SPREAD * (alike - _USUAL)]
    return torch.tensor(parts, dtype=torch.float64, device=support.device)


def absence(support: MoleculeBatch, memory: CompoundMemory | None, elsewhere: float) -> float:
    """How far `memory` counts as none for `support`: 1 without one, at most `elsewhere` with one.

    `elsewhere` where it knows compounds and no assay measured two of them. Then it knows each from
    elsewhere, which in assays of activity helps a little and in others misleads; meta-train has
    hardly any others, and so cannot tell.
    """
    if memory is None:
        return 1.0
    if not bool(memory.knows(support).any()):
        return 0.0
    return elsewhere * max(0.0, 1 - memory.together(support) / _ONE_PAPER)


def situational(start: Mapping[str, float]) -> nn.ParameterDict:
    """Settings by name, each the coefficients of its logarithm: at `start` in every situation."""
    return nn.ParameterDict(
        {name: Setting(torch.tensor([math.log(start[name]), 0, 0, 0, 0, 0])) for name in start}
    )


def settings_in(now: Tensor, settings: nn.ParameterDict) -> Settings:
    """Each of `settings` in the situation `now` [6]: exp of its coefficients times `now`.

    How much the memory counts is what it would be were it wholly there, times how far it is: fitted
    with the rest, these coefficients would make up for what `absence` takes.
    """
    presence, whole = 1 - now[_ABSENCE], now.clone()
    whole[_ABSENCE] = 0
    return {
        name: presence * torch.exp(settings[name].to(now) @ whole)
        if name in _OF_MEMORY
        else torch.exp(settings[name].to(now) @ now)
        for name in settings
    }
