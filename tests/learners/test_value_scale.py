"""The scale of values against hand numbers, and what it does to values far from all others."""

import math

import pytest
import torch

from molmeta.learners.parts import AVERAGE, LEARNED, Parts
from molmeta.learners.value_scale import ValueScale

SERIES = torch.linspace(4.0, 9.0, 20)
ONE_FAR = torch.cat(
    [6 + 0.1 * torch.randn(63, generator=torch.manual_seed(0)), torch.tensor([9.0])]
)


def test_the_scale_by_hand() -> None:
    values = torch.tensor([5.0, 5.0, 5.0, 5.0, 10.0])  # mean 6, mean distance from it 8 / 5
    spread = math.sqrt(math.pi / 2) * 8 / 5
    low, high = -1 / spread, 1.5 + math.log(4 / spread - 0.5)
    mean, deviation = (4 * low + high) / 5, (high - low) / math.sqrt(5)
    shrunk = ValueScale.of(values).shrink(torch.tensor([5.0, 6.0, 10.0]))
    expected = torch.tensor([low - mean, -mean, high - mean]).double() / deviation
    torch.testing.assert_close(shrunk, expected, atol=1e-6, rtol=0)


def test_a_support_has_mean_0_and_deviation_1() -> None:
    for values in (SERIES, ONE_FAR):
        shrunk = ValueScale.of(values).shrink(values)
        assert float(shrunk.mean()) == pytest.approx(0, abs=1e-9)
        assert float(shrunk.std()) == pytest.approx(1)


def test_the_unit_of_the_values_does_not_matter() -> None:
    shrunk = ValueScale.of(ONE_FAR).shrink(ONE_FAR)
    for factor, shift in ((100.0, -3.0), (0.01, 50.0)):
        other = factor * ONE_FAR.double() + shift
        torch.testing.assert_close(ValueScale.of(other).shrink(other), shrunk, atol=1e-5, rtol=0)


def test_what_was_shrunk_is_restored_however_far_it_is() -> None:
    scale = ValueScale.of(ONE_FAR)
    values = torch.tensor([-50.0, 5.9, 6.0, 9.0, 60.0])
    restored = scale.restored(scale.shrink(values), torch.ones(()).double())
    torch.testing.assert_close(restored.mean, values, atol=1e-4, rtol=0)


def test_the_deviation_is_the_slope_of_the_values() -> None:
    scale = ValueScale.of(SERIES)
    mean = torch.linspace(-3, 3, 13).double()
    ends = [scale.restored(mean + step, torch.ones(())).mean.double() for step in (-0.01, 0.01)]
    slope = (ends[1] - ends[0]) / 0.02
    deviation = scale.restored(mean, torch.tensor(4.0).double()).deviation.double()
    torch.testing.assert_close(deviation, 2 * slope, atol=0, rtol=1e-3)


def test_one_far_value_does_not_make_the_others_alike() -> None:
    """With the usual mean and deviation the others differ by a quarter as much."""
    others = ValueScale.of(ONE_FAR).shrink(ONE_FAR)[:-1]
    usual = ((ONE_FAR - ONE_FAR.mean()) / ONE_FAR.std())[:-1]
    assert float(others.std()) > 2.5 * float(usual.std())


def test_few_actives_among_many_are_not_drawn_to_them() -> None:
    values = torch.tensor([5.0] * 95 + [7.0] * 5)
    scale = ValueScale.of(values)
    shrunk = scale.shrink(values)
    torch.testing.assert_close(scale.restored(shrunk, torch.ones(())).mean, values)
    assert float(shrunk[-1] - shrunk[0]) > 4


def test_parts_of_the_mean_become_parts_of_the_value() -> None:
    scale = ValueScale.of(SERIES)
    base, shares = torch.tensor([0.0, 0.3, 0.3]).double(), torch.randn(4, 3).double()
    shares[:, 1] = 1.0  # so that the second is beyond the bend
    parts = Parts({AVERAGE: base}, {LEARNED: shares})
    restored = scale.restored(parts.total, torch.ones(()).double())
    found = scale.parts(parts)
    torch.testing.assert_close(found.total.float(), restored.mean)
    assert bool((found.support[LEARNED].sign() == shares.sign()).all())
