"""Unlikeness against hand numbers: two compounds that are half alike."""

import math

import pytest
import torch

from molmeta.learners.tobit import posterior
from molmeta.learners.unlikeness import Unlikeness


def test_what_is_as_far_as_the_support_is_from_itself_loses_nothing() -> None:
    kernel = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    noise, factor = torch.tensor([0.5, 2.0], dtype=torch.float64)
    given = posterior(kernel, torch.tensor([1.0, -1.0]).double(), torch.zeros(2), noise)
    unlike = Unlikeness.of(given, factor)
    # Each compound given the other: 1 - 0.5² / (1 + 0.5).
    usual = math.sqrt(1 - 0.25 / 1.5)
    assert unlike.usual.item() == pytest.approx(usual)
    moved = unlike(torch.tensor([usual**2, 1.0, 0.25], dtype=torch.float64))
    assert moved.tolist() == pytest.approx([0.0, -2 * (1 - usual), 2 * (usual - 0.5)])
