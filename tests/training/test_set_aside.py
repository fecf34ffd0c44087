"""Assays set aside are trained on by nobody, and the same ones each time."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.training.calibration import CalibrationConfig
from molmeta.training.outer_loop import train
from molmeta.training.set_aside import set_aside
from tests.training.tiny import task, tiny_config


def test_the_two_parts_are_all_assays_once(learnable: AssayStore) -> None:
    split = set_aside(learnable, 0.5, seed=3)
    assert len(split.aside) == 3
    assert [learnable.tasks[place] for place in split.places] == list(split.aside)
    ids = [one.assay_id for part in (split.trained, split.aside) for one in part]
    assert sorted(ids) == sorted(one.assay_id for one in learnable)
    assert split.trained.molecules is learnable.molecules


def test_the_choice_follows_from_the_seed(learnable: AssayStore) -> None:
    choices = {set_aside(learnable, 0.5, seed).places for seed in range(8)}
    assert len(choices) > 1
    assert set_aside(learnable, 0.5, 3).places == set_aside(learnable, 0.5, 3).places


def test_each_part_is_other_data_than_the_whole(learnable: AssayStore) -> None:
    parts = [set_aside(learnable, share, 0) for share in (0.3, 0.5)]
    digests = [part.sha256 for split in parts for part in split[:2]]
    assert len({learnable.sha256, *digests}) == 5


@pytest.mark.parametrize(("share", "n"), [(0.01, 1), (0.5, 4), (0.99, 5)])
def test_only_assays_that_can_be_split_are_set_aside_and_one_is_left(
    learnable: AssayStore, share: float, n: int
) -> None:
    mixed = replace(learnable, tasks=(task("inactive", torch.zeros(40)), *learnable.tasks))
    split = set_aside(mixed, share, 0)
    assert len(split.places) == n
    assert "inactive" not in {one.assay_id for one in split.aside}


def test_too_few_assays_are_refused_before_any_training(
    learnable: AssayStore, tmp_path: Path
) -> None:
    few = replace(learnable, tasks=(task("inactive", torch.zeros(40)), learnable.tasks[0]))
    with pytest.raises(ConfigError, match=r"1 of 2 can: set calibration.steps to 0"):
        set_aside(few, 0.1, 0)
    config = replace(tiny_config(), calibration=CalibrationConfig(steps=1))
    with pytest.raises(ConfigError, match="To calibrate"):
        train(config, few, None, tmp_path, torch.device("cpu"))
    assert not list(tmp_path.iterdir())
