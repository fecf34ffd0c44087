"""What comes before the episodes: stopping changes nothing, and no two settings mix in a folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.episodes import EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError
from molmeta.learners.weighted_tanimoto import WeightedTanimoto
from molmeta.training.feature_weights import FeatureWeightsConfig, Weighing, fit_feature_weights
from molmeta.training.pretraining import Pretraining, PretrainingConfig, pretrain
from molmeta.training.stage import Stage
from molmeta.training.stopping import StopSignals
from tests.molecules import DRUGS
from tests.training.tiny import ENCODER

Weights = dict[str, torch.Tensor]
Work = Callable[[AssayStore, Path, float, StopSignals], Weights]
"""With a learning rate: what the stage leaves of its weights."""


def _pretrained(store: AssayStore, folder: Path, rate: float, stop: StopSignals) -> Weights:
    torch.manual_seed(0)
    encoder = FusedEncoder(ENCODER, "pyg")
    encoder.fit_inputs(store.molecules)
    config = PretrainingConfig(
        steps=6, batch_size=32, learning_rate=rate, warmup_steps=2, properties=1.0
    )
    pretrain(encoder, replace(store, smiles=tuple(DRUGS)), config, 0, folder, stop)
    return encoder.state_dict()


def _weighed(store: AssayStore, folder: Path, rate: float, stop: StopSignals) -> Weights:
    kernel = WeightedTanimoto()
    config = FeatureWeightsConfig(steps=6, warmup_steps=2, learning_rate=rate)
    sampler = EpisodeSampler(store, support_sizes=(8,), query_size=16)
    fit_feature_weights(kernel, store, sampler, config, 4, folder, stop)
    return kernel.state_dict()


STAGES = [(_pretrained, Pretraining), (_weighed, Weighing)]


@pytest.mark.parametrize(("work", "kind"), STAGES)
@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_stopped_stage_goes_on_to_the_same_weights(
    learnable: AssayStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    work: Work,
    kind: type[Stage],
    stop_after: int,
) -> None:
    monkeypatch.setattr(kind, "save_every", 2)
    whole = work(learnable, tmp_path / "whole", 5e-3, StopSignals())

    stop, taken = StopSignals(), list[int]()
    take_step = kind.take_step

    def counting(self: Stage, step: int) -> float:
        taken.append(step)
        stop.number = 2 if len(taken) == stop_after else 0
        return take_step(self, step)

    monkeypatch.setattr(kind, "take_step", counting)
    stopped = work(learnable, tmp_path / "parts", 5e-3, stop)
    assert taken == list(range(stop_after))
    assert any(not torch.equal(stopped[name], whole[name]) for name in whole)
    parts = work(learnable, tmp_path / "parts", 5e-3, StopSignals())
    assert taken == list(range(6))
    for name, weights in whole.items():
        assert torch.equal(parts[name], weights), name


@pytest.mark.parametrize(("work", "kind"), STAGES)
def test_other_settings_in_the_same_folder_are_refused(
    learnable: AssayStore, tmp_path: Path, work: Work, kind: type[Stage]
) -> None:
    work(learnable, tmp_path, 5e-3, StopSignals())
    with pytest.raises(ConfigError, match=f"{kind.title} of other settings"):
        work(learnable, tmp_path, 1e-3, StopSignals())
