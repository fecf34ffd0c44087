"""SizeLaw: a learned factor that follows the size of the support."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from molmeta.learners.setting import Setting

REFERENCE_SIZE: Final = 32
"""Compounds of the support at which laws of its size are what they start from."""


class SizeLaw(nn.Module):
    """e^(a + b·ln(n_support / 32)), a and b learned.

    As a factor on log odds it is temperature scaling (Guo et al. 2017, sec. 4.2), which changes no
    order; by size, because a method that is right about 16 compounds may shout about 128.
    """

    def __init__(self, level: float = 0.0, growth: float = 0.0) -> None:
        """Start at a = `level` and b = `growth`."""
        super().__init__()
        self.law = Setting(torch.tensor([level, growth]))
        """[2]: a and b."""

    def forward(self, n_support: int | Sequence[int]) -> Tensor:
        """The factor for a support of so many compounds, [], or for several: [n_tasks]."""
        level, growth = self.law
        sizes = self.law.new_tensor(n_support)
        return torch.exp(level + growth * torch.log(sizes / REFERENCE_SIZE))
