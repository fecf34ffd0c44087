"""Multitask pre-training: the labels it sees, that it learns, and that stopping changes nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError
from molmeta.training import pretraining
from molmeta.training.outer_loop import train
from molmeta.training.pretraining import LabelTable, Pretraining, PretrainingConfig, pretrain
from molmeta.training.stopping import StopSignals
from tests.training.tiny import ENCODER, task, tiny_config

CONFIG = PretrainingConfig(steps=6, batch_size=32, learning_rate=5e-3, warmup_steps=2)


def _encoder(store: AssayStore) -> FusedEncoder:
    torch.manual_seed(0)
    encoder = FusedEncoder(ENCODER, "pyg")
    encoder.fit_inputs(store.molecules)
    return encoder


def _pretrained(store: AssayStore, folder: Path, config: PretrainingConfig) -> FusedEncoder:
    encoder = _encoder(store)
    pretrain(encoder, store, config, 0, folder, StopSignals())
    return encoder


def _assert_equal(left: FusedEncoder, right: FusedEncoder) -> None:
    for name, weight in left.state_dict().items():
        assert torch.equal(weight, right.state_dict()[name]), name


def test_a_molecule_brings_all_its_labels_and_no_others(learnable: AssayStore) -> None:
    tasks = (
        task("A", torch.tensor([1.0, 0.0]), torch.tensor([3, 5])),
        task("B", torch.tensor([0.0, 1.0, 1.0]), torch.tensor([5, 3, 4])),
    )
    table = LabelTable.of(replace(learnable, tasks=tasks))
    places, rows = table.rows_of(torch.tensor([5, 0, 3]))
    found = sorted(
        zip(places.tolist(), table.tasks[rows].tolist(), table.labels[rows].tolist(), strict=True)
    )
    assert found == [(0, 0, 0.0), (0, 1, 0.0), (2, 0, 1.0), (2, 1, 1.0)]


def test_an_epoch_shows_each_labelled_molecule_once(learnable: AssayStore) -> None:
    work = Pretraining(_encoder(learnable), learnable, replace(CONFIG, batch_size=10), seed=3)
    n_batches = len(work.labelled) // 10
    shown = torch.cat([work._batch(step) for step in range(n_batches)])
    assert len(shown.unique()) == len(shown) == n_batches * 10
    assert not torch.equal(work._batch(0), work._batch(n_batches))


def test_heads_start_at_their_assays_log_odds(learnable: AssayStore) -> None:
    work = Pretraining(_encoder(learnable), learnable, CONFIG, seed=0)
    shares = torch.tensor([t.share_active for t in learnable])
    torch.testing.assert_close(torch.sigmoid(work.model.biases.detach()), shares)


def test_the_loss_falls(learnable: AssayStore) -> None:
    config = replace(CONFIG, steps=60)
    work = Pretraining(_encoder(learnable), learnable, config, seed=0)
    losses = [work.take_step(step) for step in range(60)]
    assert sum(losses[-10:]) < sum(losses[:10]) - 1.0


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_stopped_pre_training_goes_on_to_the_same_weights(
    learnable: AssayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    monkeypatch.setattr(pretraining, "SAVE_EVERY", 2)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = _pretrained(learnable, tmp_path / "whole", CONFIG)

    stop = StopSignals()
    take_step = Pretraining.take_step

    def stopping(self: Pretraining, step: int) -> float:
        if step + 1 == stop_after:
            stop.number = 2
        return take_step(self, step)

    monkeypatch.setattr(Pretraining, "take_step", stopping)
    pretrain(_encoder(learnable), learnable, CONFIG, 0, tmp_path / "parts", stop)
    monkeypatch.setattr(Pretraining, "take_step", take_step)
    _assert_equal(whole, _pretrained(learnable, tmp_path / "parts", CONFIG))


def test_other_settings_in_the_same_folder_are_refused(
    learnable: AssayStore, tmp_path: Path
) -> None:
    _pretrained(learnable, tmp_path, CONFIG)
    with pytest.raises(ConfigError, match="other settings"):
        _pretrained(learnable, tmp_path, replace(CONFIG, batch_size=8))


def test_a_run_starts_its_episodes_from_the_pre_trained_encoder(
    learnable: AssayStore, tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    alone = _pretrained(learnable, tmp_path / "alone", CONFIG)
    # Steps too small to move a weight.
    config = replace(tiny_config(learning_rate=1e-30, weight_decay=0.0), pretraining=CONFIG)
    learner = train(config, learnable, None, tmp_path / "run", torch.device("cpu"))
    trained = learner.get_submodule("encoder")
    assert isinstance(trained, FusedEncoder)
    left, right = alone.state_dict(), trained.state_dict()
    same = [torch.allclose(left[name], right[name], atol=1e-6) for name in left]
    assert all(same)


@pytest.mark.parametrize("settings", [{"steps": -1}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_settings_that_cannot_run_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="pretraining"):
        PretrainingConfig(**settings)
