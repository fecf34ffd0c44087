"""The check of a support by itself: no compound is judged by a model that was shown it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import molmeta.evaluation.check
from molmeta import FewShotClassifier
from molmeta.assays.support import build_support
from molmeta.assays.task import LabeledMolecules
from molmeta.checkpoint import save_checkpoint
from molmeta.chem.batch import MoleculeBatch
from molmeta.errors import ConfigError, SupportError
from molmeta.evaluation.check import (
    MODEL,
    WITHOUT_MEMORY,
    SelfCheck,
    Verdict,
    baselines,
    check_target,
)
from molmeta.learners.base import Learner, Prediction, Predictor
from molmeta.learners.memory import CompoundMemory
from molmeta.target import TargetModel, adapt_target
from tests.tiny_model import ACTIVES, SUPPORT, measured_set, tiny_checkpoint

ANILIDES = tuple(f"CC(=O)Nc1ccc({x})cc1" for x in ("O", "F", "Cl", "Br", "C", "CC", "OC", "CCC"))
ALKANES = tuple("C" * n for n in range(5, 13))
MUDDLED = (1, 0, 1, 0, 1, 0, 1, 0)
"""Labels of SUPPORT that no structure explains."""


@pytest.fixture(scope="module", autouse=True)
def _small_forests() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(molmeta.evaluation.check, "TREES", 5)
        yield


class Told(Learner):
    """Says what it was told of each compound, and keeps what it was shown."""

    def __init__(self, scores: dict[int, float]) -> None:
        super().__init__()
        self.scores = scores
        self.splits: list[tuple[set[int], set[int]]] = []

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        shown = set(support.molecules.keys.tolist())

        def predict(molecules: MoleculeBatch) -> Prediction:
            asked = molecules.keys.tolist()
            self.splits.append((shown, set(asked)))
            logit = torch.tensor([self.scores[key] for key in asked])
            return Prediction(logit, torch.full_like(logit, torch.nan))

        return predict


def _told(n_wrong: int) -> TargetModel:
    """Of 8 anilides that are active and 8 alkanes; told the opposite of so many of each."""
    support = build_support(ANILIDES + ALKANES, [1] * 8 + [0] * 8)
    target = adapt_target(tiny_checkpoint(), support)
    assert isinstance(target.support, LabeledMolecules)
    scores = target.support.labels.clone()
    for value in (0, 1):
        places = (target.support.labels == value).nonzero()[:n_wrong, 0]
        scores[places] = 1.0 - value
    keys = target.support.molecules.keys.tolist()
    learner = Told(dict(zip(keys, scores.tolist(), strict=True)))
    return TargetModel(replace(target.checkpoint, learner=learner))


@pytest.fixture(scope="module")
def check() -> SelfCheck:
    """Of the tiny model and an assay of noise."""
    return check_target(_muddled())


def _muddled() -> TargetModel:
    return adapt_target(tiny_checkpoint(), build_support(SUPPORT, MUDDLED))


def test_no_compound_is_judged_by_a_model_that_was_shown_it() -> None:
    target = _told(0)
    learner = target.checkpoint.learner
    assert isinstance(learner, Told)
    check_target(target)
    assert learner.splits
    for shown, asked in learner.splits:
        assert shown.isdisjoint(asked)
        assert shown | asked == set(learner.scores)
    judged = [key for _, asked in learner.splits for key in asked]
    assert {judged.count(key) for key in learner.scores} == {4}


def test_a_model_that_ranks_as_well_as_the_best_is_to_be_used() -> None:
    found = check_target(_told(0))
    assert found.verdict is Verdict.USE
    assert found.model.roc_auc.value == 1.0
    assert found.model.delta_auprc == pytest.approx(1 - 0.5 - 0.0792, abs=1e-3)
    assert "100%" in found.reason


def test_a_model_that_ranks_worse_than_its_neighbours_is_no_better_than_they() -> None:
    found = check_target(_told(1))
    assert found.verdict is Verdict.NO_BETTER
    assert found.best_baseline in found.reason
    assert found.difference.value < 0


@pytest.mark.parametrize("n_wrong", [4, 8])
def test_a_model_that_may_be_a_coin_or_worse_is_not_to_be_used(n_wrong: int) -> None:
    found = check_target(_told(n_wrong))
    assert found.verdict is Verdict.DO_NOT_USE
    assert "coin" in found.reason


def test_the_baselines_tell_anilides_from_alkanes() -> None:
    found = check_target(_told(8))
    assert found.model.roc_auc.value == 0.0
    for one in found.methods[1:]:
        assert one.roc_auc.value > 0.9


def test_methods_are_the_model_and_the_baselines(check: SelfCheck) -> None:
    assert [one.method for one in check.methods] == [MODEL, *baselines()]
    assert (check.n_active, check.n_inactive) == (4, 4)
    assert (check.n_known, check.n_seen) == (0, 1)
    for one in check.methods:
        assert 0 <= one.roc_auc.low <= one.roc_auc.value <= one.roc_auc.high <= 1


def test_the_same_seed_gives_the_same_check(check: SelfCheck) -> None:
    target = _muddled()
    assert check_target(target) == check
    assert check_target(target, seed=1) != check


def test_what_the_memory_knows_is_counted_and_shown_apart(check: SelfCheck) -> None:
    target = _muddled()
    assert isinstance(target.support, LabeledMolecules)
    actives = target.support.molecules.keys[target.support.labels == 1]
    memory = CompoundMemory(
        keys=actives.sort().values,
        offsets=torch.arange(5),
        assays=torch.zeros(4, dtype=torch.int32),
        grades=torch.ones(4, dtype=torch.float16),
        heights=torch.ones(4, dtype=torch.float16),
    )
    target.checkpoint.learner.memory = memory
    found = check_target(target)
    assert found.n_known == 4
    alone = found.methods[-1]
    assert alone == replace(check.model, method=WITHOUT_MEMORY)
    assert found.model.roc_auc.value > alone.roc_auc.value
    assert target.checkpoint.learner.memory is memory


def test_a_single_active_cannot_be_held_out() -> None:
    support = build_support([ACTIVES[0], *ALKANES], [1] + [0] * len(ALKANES))
    with pytest.raises(SupportError, match="at least two of each"):
        check_target(adapt_target(tiny_checkpoint(), support))


def test_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="threshold"):
        check_target(adapt_target(tiny_checkpoint("tanimoto_gp"), measured_set()))


def test_the_classifier_checks_what_it_was_fitted_to(check: SelfCheck, tmp_path: Path) -> None:
    path = tmp_path / "tiny.molmeta"
    save_checkpoint(path, tiny_checkpoint())
    assert FewShotClassifier(path).fit(list(SUPPORT), list(MUDDLED)).check() == check
