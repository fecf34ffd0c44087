"""Settings learn at their own pace, and nothing is left out or trained twice."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from molmeta.learners.registry import LEARNERS
from molmeta.learners.setting import Setting
from molmeta.training.outer_loop import train
from molmeta.training.run import BEST, STATE, build_learner
from molmeta.training.schedule import parameter_groups
from molmeta.training.state import read_tensors
from tests.training.tiny import tiny_config

CPU = torch.device("cpu")
TRAINABLE = sorted(name for name, kind in LEARNERS.items() if kind.trainable)


@pytest.mark.parametrize("name", TRAINABLE)
def test_every_parameter_of_a_learner_is_in_one_group(name: str) -> None:
    learner = build_learner(tiny_config(name))
    groups = parameter_groups(learner, 0.1)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in learner.parameters())


def test_matrices_decay_and_settings_have_their_pace() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    # A setting may have the shape of a matrix.
    net.register_parameter("table", Setting(torch.zeros(2, 2)))
    matrices, vectors, settings = parameter_groups(net, 0.1, settings_pace=20.0)
    assert [p.shape for p in matrices["params"]] == [(2, 3)]
    assert [p.shape for p in vectors["params"]] == [(2,), (2,), (2,)]
    assert settings["params"] == [net.table]
    assert [g["weight_decay"] for g in (matrices, vectors, settings)] == [0.1, 0.0, 0.0]
    assert [g["pace"] for g in (matrices, vectors, settings)] == [1.0, 1.0, 20.0]


def test_a_setting_stays_one_where_its_module_is_copied_or_converted() -> None:
    head = nn.ParameterDict({"log_noise": Setting(torch.zeros(()), requires_grad=False)})
    for other in (copy.deepcopy(head), copy.deepcopy(head).double()):
        assert isinstance(other["log_noise"], Setting)
        assert not other["log_noise"].requires_grad


def test_the_outer_loop_moves_settings_at_their_own_learning_rate(learnable, tmp_path: Path):
    config = tiny_config("anil", steps=1, learning_rate=1e-4, settings_learning_rate=0.3)
    torch.manual_seed(config.seed)
    before = dict(build_learner(config).named_parameters())
    train(config, learnable, None, tmp_path, CPU)
    after = read_tensors(tmp_path / BEST)
    # Adam's first step has the length of its rate, which warms up over two steps.
    ways = {name: (after[name] - value).abs().max().item() for name, value in before.items()}
    assert ways["head.log_radius"] == pytest.approx(0.15, rel=1e-3)
    assert ways["rates.coefficients"] == pytest.approx(0.15, rel=1e-3)
    encoder = [way for name, way in ways.items() if name.startswith("encoder.")]
    assert max(encoder) < 1e-4
    assert (tmp_path / STATE).exists()
