"""Fresh assays share no molecule with those of the pre-training, and are those of the episodes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.episodes import EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.training import run
from molmeta.training.feature_weights import FeatureWeightsConfig
from molmeta.training.fresh import divide
from molmeta.training.outer_loop import train
from molmeta.training.pretraining import PretrainingConfig
from tests.training.tiny import task, tiny_config

LABELS = (torch.arange(24) % 2).float()


@pytest.fixture
def overlapping(learnable: AssayStore) -> AssayStore:
    """Six assays of 24 molecules, each of which shares 12 with the one before."""
    tasks = (task(f"T{i}", LABELS, torch.arange(12 * i, 12 * i + 24)) for i in range(6))
    return replace(learnable, tasks=tuple(tasks))


def test_the_parts_share_no_molecule_and_lose_nothing_else(overlapping: AssayStore) -> None:
    familiar, fresh = divide(overlapping, 0.4, seed=1)
    assert len(fresh) == 2
    ids = {one.assay_id for one in fresh}
    assert set(fresh.tasks) <= set(overlapping.tasks)
    seen = torch.cat([one.molecules for one in fresh])
    whole = {one.assay_id: one for one in overlapping}
    for one in familiar:
        assert one.assay_id not in ids
        original = whole[one.assay_id]
        kept = ~torch.isin(original.molecules, seen)
        assert torch.equal(one.molecules, original.molecules[kept])
        assert torch.equal(one.labels, original.labels[kept])
    left = {one.assay_id for one in familiar}
    for one in overlapping:
        if one.assay_id not in left | ids:
            assert torch.isin(one.molecules, seen).all()


def test_a_run_says_what_is_kept_from_the_pre_training(
    overlapping: AssayStore, tmp_path: Path
) -> None:
    said: list[str] = []
    config = replace(tiny_config(steps=1), pretraining=PretrainingConfig(steps=1, fresh=0.2))
    train(config, overlapping, None, tmp_path, torch.device("cpu"), tell=said.append)
    familiar, fresh = divide(overlapping, 0.2, config.seed)
    assert len(fresh) == 1
    n = len(torch.cat([one.molecules for one in familiar]).unique())
    assert said == [
        "Assays for the episodes alone: 1, with 24 molecules; for the pre-training: "
        f"{len(familiar)}, with {n}."
    ]
    assert n == 84 - 24


def test_the_choice_follows_from_the_seed_and_each_part_is_data_of_its_own(
    overlapping: AssayStore,
) -> None:
    choices = {divide(overlapping, 0.4, seed).fresh.sha256 for seed in range(8)}
    assert len(choices) > 1
    first, second = divide(overlapping, 0.4, 3), divide(overlapping, 0.4, 3)
    assert first.fresh.sha256 == second.fresh.sha256
    assert len({overlapping.sha256, first.fresh.sha256, first.familiar.sha256}) == 3


def test_only_assays_that_can_be_split_are_fresh(overlapping: AssayStore) -> None:
    inactive = task("inactive", torch.zeros(10), torch.arange(84, 90).repeat(2)[:10])
    mixed = replace(overlapping, tasks=(inactive, *overlapping.tasks))
    for seed in range(8):
        assert "inactive" not in {one.assay_id for one in divide(mixed, 0.2, seed).fresh}
    with pytest.raises(ConfigError, match="Of 1 assays 0 are kept"):
        divide(replace(overlapping, tasks=(inactive,)), 0.5, 0)


def test_molecules_that_all_assays_share_leave_nothing_to_pre_train_on(
    learnable: AssayStore,
) -> None:
    with pytest.raises(ConfigError, match=r"0 are left for it: set pretraining.fresh to 0"):
        divide(learnable, 0.3, 0)


def test_each_stage_of_a_run_has_its_own_assays(
    overlapping: AssayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretraining = PretrainingConfig(steps=2, batch_size=8, fresh=0.4)
    weights = FeatureWeightsConfig(steps=2)
    config = replace(
        tiny_config("deepkernel", steps=3), pretraining=pretraining, feature_weights=weights
    )
    seen: dict[str, list[str]] = {}

    def noting(name, function, of):  # type: ignore[no-untyped-def]
        def noted(*args, **kwargs):  # type: ignore[no-untyped-def]
            seen.setdefault(name, []).extend(one.assay_id for one in of(args))
            return function(*args, **kwargs)

        return noted

    pretrain, fit = run.pretrain, run.fit_feature_weights
    monkeypatch.setattr(run, "pretrain", noting("pretrain", pretrain, lambda a: a[1]))
    monkeypatch.setattr(run, "fit_feature_weights", noting("weigh", fit, lambda a: a[1]))
    draw = EpisodeSampler.draw

    def drawing(self, step, *args):  # type: ignore[no-untyped-def]
        episodes = draw(self, step, *args)
        seen.setdefault("draw", []).extend(episodes.assay_ids)
        return episodes

    monkeypatch.setattr(EpisodeSampler, "draw", drawing)
    train(config, overlapping, None, tmp_path, torch.device("cpu"))
    familiar, fresh = divide(overlapping, 0.4, config.seed)
    assert seen["pretrain"] == [one.assay_id for one in familiar]
    assert seen["weigh"] == [one.assay_id for one in overlapping]
    # The first two draws are those of the weights, the others are steps of the outer loop.
    n = config.training.tasks_per_step
    kept = {one.assay_id for one in fresh}
    assert not set(seen["draw"][: 2 * n]) <= kept
    assert set(seen["draw"][2 * n :]) <= kept
    assert len(seen["draw"]) == n * (2 + config.training.steps)
