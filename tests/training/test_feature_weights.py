"""Fitting the weights of features: that it helps, and who can ask for it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.episodes import EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.learners.weighted_tanimoto import WeightedTanimoto
from molmeta.training.feature_weights import (
    FeatureWeightsConfig,
    StructuralProcess,
    fit_feature_weights,
)
from molmeta.training.outer_loop import train
from molmeta.training.stopping import StopSignals
from tests.training.tiny import tiny_config

CONFIG = FeatureWeightsConfig(steps=6, warmup_steps=2)


def test_episodes_are_predicted_better_with_the_weights(
    learnable: AssayStore, tmp_path: Path
) -> None:
    kernel = WeightedTanimoto()
    sampler = EpisodeSampler(learnable, support_sizes=(8,), query_size=16)
    config = replace(CONFIG, steps=60, learning_rate=0.1)
    fit_feature_weights(kernel, learnable, sampler, config, 4, tmp_path, StopSignals())
    weights = kernel.log_weights
    process = StructuralProcess(torch.zeros(len(weights)))
    episodes = sampler.draw(10**6, 64)
    before = float(process.meta_loss(episodes).detach())
    process.deviations.data.copy_(weights)
    assert float(process.meta_loss(episodes).detach()) < before - 0.01


def test_a_run_of_a_deep_kernel_fits_them_before_its_episodes(
    learnable: AssayStore, tmp_path: Path
) -> None:
    config = replace(tiny_config("deepkernel"), feature_weights=CONFIG)
    learner = train(config, learnable, None, tmp_path, torch.device("cpu"))
    assert learner.state_dict()["fingerprint.log_weights"].any()


def test_a_learner_without_such_a_kernel_is_refused() -> None:
    with pytest.raises(ConfigError, match="ProtoNet weighs no features"):
        replace(tiny_config("protonet"), feature_weights=CONFIG)


@pytest.mark.parametrize("name", ["steps", "warmup_steps", "shrinkage", "learning_rate"])
def test_a_setting_out_of_range_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        replace(CONFIG, **{name: -1})
