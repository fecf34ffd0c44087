"""A finished run becomes a model file that says where it comes from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.checkpoint import load_checkpoint
from molmeta.evaluation.protocol import run_protocol, summarize
from molmeta.training import publish as publish_module
from molmeta.training.calibration import CalibrationConfig, calibrate
from molmeta.training.outer_loop import train
from molmeta.training.publish import publish
from molmeta.training.run import STATE
from molmeta.training.set_aside import set_aside
from molmeta.training.state import read_record
from tests.training.tiny import tiny_config


@pytest.fixture(params=["protonet", "deepkernel"])
def published(request: pytest.FixtureRequest, learnable: AssayStore, tmp_path: Path) -> Path:
    config = tiny_config(request.param, steps=2)
    learner = train(config, learnable, None, tmp_path, torch.device("cpu"))
    return publish(
        learner, config, learnable, {"valid": learnable}, tmp_path,
        data_name="drugs", licence="none", support_sizes=(8,),
    )  # fmt: skip


def test_the_model_knows_its_data_and_its_measure(published: Path, learnable: AssayStore) -> None:
    checkpoint = load_checkpoint(published)
    assert checkpoint.provenance.data == "drugs"
    assert checkpoint.provenance.data_sha256 == (learnable.sha256,)
    assert torch.equal(checkpoint.seen_keys, learnable.molecules.keys.unique())
    tasks = run_protocol(checkpoint.learner, learnable, (8,))
    measured = summarize([draw for task in tasks for draw in task])[8]
    # Weights are rounded to half precision in the file.
    assert checkpoint.metrics["valid_delta_auprc_8"] == pytest.approx(measured.mean, abs=0.02)


def test_only_a_learner_that_uses_a_memory_gets_one(published: Path) -> None:
    learner = load_checkpoint(published).learner
    assert (learner.memory is not None) == learner.uses_memory


def test_each_fold_is_measured_by_itself(learnable: AssayStore, tmp_path: Path) -> None:
    config = tiny_config("deepkernel", steps=1)
    learner = train(config, learnable, None, tmp_path, torch.device("cpu"))
    half = len(learnable) // 2
    folds = {
        "early": replace(learnable, tasks=learnable.tasks[:half]),
        "late": replace(learnable, tasks=learnable.tasks[half:]),
    }
    model = publish(
        learner, config, learnable, folds, tmp_path,
        data_name="drugs", licence="none", support_sizes=(8,),
    )  # fmt: skip
    metrics = load_checkpoint(model).metrics
    assert {name.partition("_")[0] for name in metrics} == {"early", "late"}
    assert metrics["early_delta_auprc_8"] != metrics["late_delta_auprc_8"]


def test_what_is_not_the_encoder_is_fitted_on_assays_that_it_was_not_trained_on(
    learnable: AssayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noting(learner, assays, config, seed, places):  # type: ignore[no-untyped-def]
        fitted.append((assays, places))
        return calibrate(learner, assays, config, seed, places)

    fitted: list[tuple[AssayStore, tuple[int, ...]]] = []
    monkeypatch.setattr(publish_module, "calibrate", noting)
    calibration = CalibrationConfig(steps=3, tasks_per_step=2, support_sizes=(8,), share=0.4)
    config = replace(tiny_config("deepkernel", steps=2), calibration=calibration)
    learner = train(config, learnable, None, tmp_path, torch.device("cpu"))
    trained = {name: p.detach().clone() for name, p in learner.named_parameters()}
    split = set_aside(learnable, 0.4, config.seed)
    assert read_record(tmp_path / STATE)["run"]["data"] == split.trained.sha256
    model = publish(
        learner, config, learnable, {"valid": learnable}, tmp_path,
        data_name="drugs", licence="none", support_sizes=(8,),
    )  # fmt: skip
    ((assays, places),) = fitted
    assert assays.tasks == split.aside.tasks
    assert places == split.places
    published = load_checkpoint(model).learner
    assert published.memory is not None
    assert len(torch.unique(published.memory.assays)) == len(learnable)
    assert not torch.equal(published.get_parameter("settings.noise"), trained["settings.noise"])
    for name, parameter in published.encoder.named_parameters():
        torch.testing.assert_close(parameter, trained[f"encoder.{name}"], rtol=1e-3, atol=1e-4)
