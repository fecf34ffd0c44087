"""A law of the support's size against numbers by hand."""

import math

import pytest
import torch

from molmeta.learners.linear_head import LinearHead
from molmeta.learners.size_law import SizeLaw


def test_the_factor_is_a_power_of_the_size() -> None:
    law = SizeLaw(math.log(3.0), 0.5)
    assert law(32).item() == pytest.approx(3.0)
    assert law(128).item() == pytest.approx(6.0)
    torch.testing.assert_close(law([8, 32, 128]).detach(), torch.tensor([1.5, 3.0, 6.0]))


def test_a_finished_head_has_its_log_odds_at_the_temperature_of_its_support() -> None:
    head = LinearHead(2, "learned")
    with torch.no_grad():
        head.temperature.law.copy_(torch.tensor([math.log(3.0), 0.5]))
        features = head.features(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
        other = {"encoder.x": torch.ones(3)}
        one = {"head.weight": torch.tensor([1.0, -2.0]), "head.bias": torch.tensor(0.5)}
        finished = head.finished(one | other, 128)
        torch.testing.assert_close(head(finished, features), 6 * head(one, features))
        assert finished["encoder.x"] is other["encoder.x"]
        # Of several, each with its own support.
        several = {name: torch.stack([value, 2 * value]) for name, value in one.items()}
        raised = head(head.finished(several, [32, 8]), features)
        expected = torch.tensor([[3.0], [1.5]]) * head(several, features)
        torch.testing.assert_close(raised, expected)
