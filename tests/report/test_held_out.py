"""No support compound is judged by a model that was shown it, and every one is judged."""

import numpy as np
import pytest
import torch

from molmeta.assays.support import build_support
from molmeta.errors import SupportError
from molmeta.report import held_out
from molmeta.report.held_out import DEALS, hold_out
from molmeta.target import TargetModel, adapt_target
from tests.molecules import DRUGS
from tests.tiny_model import ACTIVES, INACTIVES, measured_set, tiny_checkpoint


def target_of(n_active: int, n_inactive: int) -> TargetModel:
    n = n_active + n_inactive
    support = build_support(DRUGS[:n], [1] * n_active + [0] * n_inactive)
    return adapt_target(tiny_checkpoint("protonet"), support)


def test_a_compound_is_never_judged_by_a_model_that_learned_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = target_of(10, 14)
    smiles = target.checkpoint.support_smiles
    n_judged = dict.fromkeys(smiles, 0)
    of_support, score = TargetModel.of_support, TargetModel.score

    def scored(model: TargetModel, texts: list[str]) -> list[object]:
        assert not set(texts) & set(model.checkpoint.support_smiles)
        assert model.has_both_classes
        for text in texts:
            n_judged[text] += 1
        return score(model, texts)

    def without_others(model: TargetModel, places: torch.Tensor) -> TargetModel:
        assert len(set(places.tolist())) == len(places)
        return of_support(model, places)

    monkeypatch.setattr(TargetModel, "score", scored)
    monkeypatch.setattr(TargetModel, "of_support", without_others)
    found = hold_out(target)
    assert list(found.answers) == [9, 18]
    assert set(n_judged.values()) == {DEALS * 2}
    for size in found.answers:
        assert np.isfinite(found.merits(size)).all()


def test_each_part_holds_both_classes_out() -> None:
    found = hold_out(target_of(3, 13))
    for deal in found.parts:
        for part in np.unique(deal):
            assert set(found.labels[deal == part]) == {0.0, 1.0}


def test_answers_are_those_of_the_model_of_the_others() -> None:
    target = target_of(6, 6)
    found = hold_out(target)
    deal, place = found.parts[0], 4
    others = torch.from_numpy(np.flatnonzero(deal != deal[place]))
    (expected,) = target.of_support(others).score([target.checkpoint.support_smiles[place]])
    assert found.largest == len(others)
    assert found.answers[found.largest][0][place].logit == pytest.approx(expected.logit, abs=1e-4)


def test_the_same_seed_gives_the_same_answers_and_another_one_others() -> None:
    target = target_of(8, 8)
    first, again, other = (hold_out(target, seed=seed) for seed in (0, 0, 1))
    assert (first.merits(first.largest) == again.merits(first.largest)).all()
    assert (first.parts != other.parts).any()


def test_values_are_held_out_with_their_bounds() -> None:
    found = hold_out(adapt_target(tiny_checkpoint(), measured_set()))
    assert found.predicts_values
    assert sorted(found.relations.tolist()) == [-1, -1, 0, 0, 0, 0, 0, 0]
    deal = found.parts[0]
    others = found.labels[deal != deal[0]]
    assert found.guesses[found.largest][0][0] == pytest.approx(others.mean())


@pytest.mark.parametrize(
    ("n_active", "n_inactive", "reason"),
    [
        (3, 4, "there are 7 compounds; at least 8"),
        (1, 9, "a single compound"),
        (12, 12, "up to 20 are held out"),
    ],
)
def test_what_cannot_be_held_out_says_why(
    n_active: int, n_inactive: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "MOST", 20)
    with pytest.raises(SupportError, match=reason):
        hold_out(target_of(n_active, n_inactive))


def test_actives_alone_cannot_be_held_out() -> None:
    actives = [*ACTIVES, *INACTIVES]
    support = build_support(actives, [1] * len(actives), allow_tiny=True)
    with pytest.raises(SupportError, match="only actives"):
        hold_out(adapt_target(tiny_checkpoint("protonet"), support))
