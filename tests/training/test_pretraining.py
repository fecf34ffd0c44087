"""Multitask pre-training: the labels it sees, that it learns, and that a run starts from it."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError
from molmeta.training.outer_loop import train
from molmeta.training.pretraining import LabelTable, Pretraining, PretrainingConfig, pretrain
from molmeta.training.stopping import StopSignals
from tests.molecules import DRUGS
from tests.training.tiny import ENCODER, task, tiny_config

CONFIG = PretrainingConfig(steps=6, batch_size=32, learning_rate=5e-3, warmup_steps=2)


def _encoder(store: AssayStore) -> FusedEncoder:
    torch.manual_seed(0)
    encoder = FusedEncoder(ENCODER, "pyg")
    encoder.fit_inputs(store.molecules)
    return encoder


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


def test_a_run_starts_its_episodes_from_the_pre_trained_encoder(
    learnable: AssayStore, tmp_path: Path
) -> None:
    alone = _encoder(learnable)
    pretrain(alone, learnable, CONFIG, 0, tmp_path / "alone", StopSignals())
    # Steps too small to move a weight.
    config = replace(tiny_config(learning_rate=1e-30, weight_decay=0.0), pretraining=CONFIG)
    learner = train(config, learnable, None, tmp_path / "run", torch.device("cpu"))
    trained = learner.get_submodule("encoder")
    assert isinstance(trained, FusedEncoder)
    left, right = alone.state_dict(), trained.state_dict()
    same = [torch.allclose(left[name], right[name], atol=1e-6) for name in left]
    assert all(same)


def test_the_hidden_states_learn_computed_properties(learnable: AssayStore) -> None:
    store = replace(learnable, smiles=tuple(DRUGS))
    config = replace(CONFIG, steps=100, batch_size=len(DRUGS), properties=5.0)
    work = Pretraining(_encoder(store), store, config, seed=0)

    def error() -> float:
        work.model.eval()
        nothing = torch.empty(0, dtype=torch.int64)
        _, properties = work.model(store.molecules, nothing, nothing)
        return float((properties - work.properties).detach().square().mean())

    before = error()
    for step in range(config.steps):
        work.take_step(step)
    assert error() < 0.5 * before


def test_a_property_without_a_number_teaches_nothing(learnable: AssayStore) -> None:
    texts = list(DRUGS)
    texts[3] = "C1CC"
    store = replace(learnable, smiles=tuple(texts))
    work = Pretraining(_encoder(store), store, replace(CONFIG, properties=1.0), seed=0)
    assert work.properties[3].isnan().all()
    assert all(math.isfinite(work.take_step(step)) for step in range(CONFIG.steps))


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": -1},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"fresh": 1.0},
        {"fresh": -0.1},
        {"properties": -1.0},
    ],
)
def test_settings_that_cannot_run_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="pretraining"):
        PretrainingConfig(**settings)
