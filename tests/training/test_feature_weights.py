"""Fitting the weights of features: that it helps, and that stopping changes nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.episodes import EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.learners.weighted_tanimoto import WeightedTanimoto
from molmeta.training import feature_weights
from molmeta.training.feature_weights import (
    FeatureWeightsConfig,
    StructuralProcess,
    fit_feature_weights,
)
from molmeta.training.outer_loop import train
from molmeta.training.stopping import StopSignals
from tests.training.tiny import tiny_config

CONFIG = FeatureWeightsConfig(steps=6, warmup_steps=2)


def _sampler(store: AssayStore) -> EpisodeSampler:
    return EpisodeSampler(store, support_sizes=(8,), query_size=16)


def _fitted(
    store: AssayStore, folder: Path, config: FeatureWeightsConfig, stop: StopSignals | None = None
) -> torch.Tensor:
    kernel = WeightedTanimoto()
    stop = StopSignals() if stop is None else stop
    fit_feature_weights(kernel, store, _sampler(store), config, 4, folder, stop)
    return kernel.log_weights


def test_episodes_are_predicted_better_with_the_weights(
    learnable: AssayStore, tmp_path: Path
) -> None:
    weights = _fitted(learnable, tmp_path, replace(CONFIG, steps=60, learning_rate=0.1))
    process = StructuralProcess(torch.zeros(len(weights)))
    episodes = _sampler(learnable).draw(10**6, 64)
    before = float(process.meta_loss(episodes).detach())
    process.deviations.data.copy_(weights)
    assert float(process.meta_loss(episodes).detach()) < before - 0.01


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_stopped_fit_goes_on_to_the_same_weights(
    learnable: AssayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    monkeypatch.setattr(feature_weights, "SAVE_EVERY", 2)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = _fitted(learnable, tmp_path / "whole", CONFIG)

    stop = StopSignals()
    draw = EpisodeSampler.draw

    def stopping(self: EpisodeSampler, step: int, n_tasks: int) -> object:
        if step + 1 == stop_after:
            stop.number = 2
        return draw(self, step, n_tasks)

    monkeypatch.setattr(EpisodeSampler, "draw", stopping)
    assert not _fitted(learnable, tmp_path / "parts", CONFIG, stop).any()
    monkeypatch.setattr(EpisodeSampler, "draw", draw)
    parts = _fitted(learnable, tmp_path / "parts", CONFIG)
    assert whole.any()
    assert torch.equal(whole, parts)


def test_other_settings_in_the_same_folder_are_refused(
    learnable: AssayStore, tmp_path: Path
) -> None:
    _fitted(learnable, tmp_path, CONFIG)
    with pytest.raises(ConfigError, match="other settings"):
        _fitted(learnable, tmp_path, replace(CONFIG, shrinkage=1.0))


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
