"""TargetModel: rows in place, scores that depend on nothing but the molecule, and warnings."""

import math
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from torch import Tensor

from molmeta import target as target_module
from molmeta.assays.support import build_support
from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.checkpoint import save_checkpoint
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, Status, read_smiles
from molmeta.errors import CheckpointError, ConfigError, OutputError
from molmeta.learners.base import PairKernel, Prediction
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import ValuePrediction
from molmeta.target import TargetModel, adapt_target
from tests.molecules import MOLECULES
from tests.tiny_model import (
    ACTIVES,
    LIKE_ACTIVES,
    LIKE_INACTIVES,
    SEEN,
    SUPPORT,
    UNLIKE_ALL,
    measured_set,
    support_set,
    tiny_checkpoint,
)


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


def logits(target: TargetModel, texts: list[str]) -> torch.Tensor:
    rows = target.score(texts)
    return torch.tensor([math.nan if row.logit is None else row.logit for row in rows])


def test_every_input_gives_one_row_in_its_place(target: TargetModel) -> None:
    rows = target.score(["", LIKE_ACTIVES, None, "C1CC", LIKE_INACTIVES, 5])
    assert [row.smiles is not None for row in rows] == [False, True, False, False, True, False]
    assert [row.probability is not None for row in rows] == [row.is_usable for row in rows]
    assert all(row.reason for row in rows if not row.is_usable)
    assert rows[0].status == Status.EMPTY
    assert rows[3].status == Status.PARSE_ERROR


def test_the_answers_are_those_of_the_learner_itself(target: TargetModel) -> None:
    support, query = support_set(), read_smiles(LIKE_ACTIVES)
    assert isinstance(query, Molecule)
    with torch.no_grad():
        predictor = tiny_checkpoint().learner.adapt(
            LabeledMolecules(featurize(support.molecules), torch.tensor(support.labels))
        )
        expected = predictor(featurize([query]))
    (row,) = target.score([LIKE_ACTIVES])
    assert row.logit == pytest.approx(float(expected.logit), abs=1e-6)
    assert row.deviation == pytest.approx(float(expected.deviation), abs=1e-6)
    assert row.probability == pytest.approx(float(expected.probability), abs=1e-6)


def test_scores_do_not_depend_on_the_batch_size(
    target: TargetModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = list(MOLECULES)
    together = logits(target, texts)
    monkeypatch.setattr(target._texts, "_most", 1)
    alone = logits(target, texts)
    monkeypatch.setattr(target._texts, "_most", 7)  # leaves a last batch of another size
    by_seven = logits(target, texts)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together, by_seven, atol=1e-5, rtol=0)


def test_scores_do_not_depend_on_the_number_of_threads(target: TargetModel) -> None:
    alone = logits(target, list(MOLECULES))
    try:
        torch.set_num_threads(4)
        together = logits(target, list(MOLECULES))
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_scores_do_not_depend_on_the_order_of_the_support(target: TargetModel) -> None:
    backwards = build_support(SUPPORT[::-1], (0,) * 4 + (1,) * 4)
    other = adapt_target(tiny_checkpoint(), backwards)
    texts = [LIKE_ACTIVES, LIKE_INACTIVES, UNLIKE_ALL]
    assert logits(other, texts).tolist() == logits(target, texts).tolist()


def test_two_spellings_of_a_molecule_get_one_score_and_are_computed_once(
    target: TargetModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    similarities = TargetModel._similarities

    def counting(target: TargetModel, molecules: MoleculeBatch) -> dict[PairKernel, Tensor]:
        computed.append(len(molecules))
        return similarities(target, molecules)

    monkeypatch.setattr(TargetModel, "_similarities", counting)
    first, second, other, salt = target.score(["OCC", "CCO", "CCN", "CCO.Cl"])
    assert computed == [2]
    assert first == replace(second, text="OCC")
    assert (first.smiles, other.smiles, salt.smiles) == ("CCO", "CCN", "CCO")
    assert salt.logit == first.logit != other.logit
    assert salt.status == Status.OK_CHANGED
    assert "salt" in salt.reason


def test_similarity_is_that_of_rdkit_to_the_nearest_support_compound(target: TargetModel) -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    query, *support = (
        generator.GetSparseCountFingerprint(Chem.MolFromSmiles(s)) for s in (LIKE_ACTIVES, *SUPPORT)
    )
    expected = max(DataStructs.TanimotoSimilarity(query, s) for s in support)
    (row,) = target.score([LIKE_ACTIVES])
    assert row.similarity == pytest.approx(expected, abs=1e-6)


def test_a_compound_unlike_the_support_is_scored_with_a_warning(target: TargetModel) -> None:
    (row,) = target.score([UNLIKE_ALL])
    assert row.status == Status.WARN_DOMAIN
    assert row.probability is not None
    assert row.reason.startswith("domain: ")


def test_support_compounds_and_molecules_of_meta_training_are_flagged(target: TargetModel) -> None:
    rows = target.score([SEEN, ACTIVES[1], LIKE_ACTIVES])
    assert [row.in_support for row in rows] == [True, True, False]
    assert [row.seen for row in rows] == [True, False, False]
    assert target.n_support_seen == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_an_error_of_its_row(value: float) -> None:
    target = adapt_target(tiny_checkpoint(), support_set())
    target._predictor = lambda molecules: Prediction(
        torch.where(torch.arange(len(molecules)) == 0, value, 1.0), torch.ones(len(molecules))
    )
    bad, good = target.score([LIKE_ACTIVES, LIKE_INACTIVES])
    assert bad.status == Status.MODEL_ERROR
    assert (bad.logit, bad.probability, bad.merit) == (None, None, None)
    assert good.status == Status.OK
    assert good.logit == 1.0


def test_probability_of_an_extreme_logit_does_not_overflow() -> None:
    for logit, expected in ((-1e4, 0.0), (1e4, 1.0), (0.0, 0.5), (math.log(3), 0.75)):
        row = target_module.ScoredRow(Status.OK, "", logit=logit)
        assert row.probability == pytest.approx(expected)


def test_actives_alone_rank_by_similarity_and_give_no_probability() -> None:
    support = build_support(ACTIVES, [1] * 4, allow_tiny=True)
    like, unlike = adapt_target(tiny_checkpoint(), support).score([LIKE_ACTIVES, LIKE_INACTIVES])
    assert like.probability is None
    assert like.is_usable
    assert like.merit is not None
    assert unlike.merit is not None
    assert like.merit == like.similarity > unlike.merit


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_every_learner_can_be_adapted_and_asked(name: str) -> None:
    target = adapt_target(tiny_checkpoint(name), support_set())
    like, unlike = target.score([LIKE_ACTIVES, LIKE_INACTIVES])
    assert like.logit is not None
    assert unlike.logit is not None
    assert like.deviation is None or like.deviation >= 0


def test_a_saved_target_scores_as_before(target: TargetModel, tmp_path: Path) -> None:
    target.save(tmp_path / "target.molmeta")
    loaded = TargetModel.load(tmp_path / "target.molmeta")
    texts = [LIKE_ACTIVES, SEEN, UNLIKE_ALL, "nonsense"]
    assert loaded.score(texts) == target.score(texts)


def test_a_pickled_target_scores_as_before(target: TargetModel) -> None:
    texts = [LIKE_ACTIVES, SEEN, UNLIKE_ALL]
    assert pickle.loads(pickle.dumps(target)).score(texts) == target.score(texts)


def test_a_learner_without_support_is_no_target(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "learner.molmeta", tiny_checkpoint())
    with pytest.raises(CheckpointError, match="support"):
        TargetModel.load(tmp_path / "learner.molmeta")


@pytest.mark.parametrize("learner", ["deepkernel", "tanimoto_gp"])
def test_a_support_of_values_gives_values_with_their_interval(learner: str) -> None:
    target = adapt_target(tiny_checkpoint(learner), measured_set())
    assert (target.predicts_values, target.n_bounds, target.n_active) == (True, 2, 0)
    like, unlike, broken = target.score([LIKE_ACTIVES, LIKE_INACTIVES, "C1CC"])
    for row in (like, unlike):
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low < row.value < row.high
        assert row.merit == row.value
        assert row.probability is None
    assert like.value > unlike.value  # type: ignore[operator]
    assert (broken.value, broken.low, broken.merit, broken.is_usable) == (None, None, None, False)


def test_a_learner_of_classes_refuses_values_and_names_those_that_can() -> None:
    with pytest.raises(ConfigError, match=r"ProtoNet predicts classes and no values.*deepkernel"):
        adapt_target(tiny_checkpoint("protonet"), measured_set())


def test_a_value_that_is_not_finite_is_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    target = adapt_target(tiny_checkpoint("tanimoto_gp"), measured_set())
    nothing = torch.full((1,), torch.nan)
    monkeypatch.setattr(target, "_value_predictor", lambda _: ValuePrediction(nothing, nothing))
    (row,) = target.score([LIKE_ACTIVES])
    assert (row.status, row.value, row.low, row.deviation) == (Status.MODEL_ERROR,) + (None,) * 3


def test_a_target_of_values_comes_back_from_its_file(tmp_path: Path) -> None:
    target = adapt_target(tiny_checkpoint(), measured_set())
    target.save(tmp_path / "target.molmeta")
    again = TargetModel.load(tmp_path / "target.molmeta")
    assert again.predicts_values
    asked = [LIKE_ACTIVES, LIKE_INACTIVES]
    assert again.score(asked) == target.score(asked)
    assert pickle.loads(pickle.dumps(target)).score(asked) == target.score(asked)


def test_a_file_of_values_that_cannot_be_is_refused(tmp_path: Path) -> None:
    target = adapt_target(tiny_checkpoint(), measured_set())
    support = target.support
    assert isinstance(support, MeasuredMolecules)
    for values, relations, said in (
        (support.values.double(), support.relations, "values of shape"),
        (support.values, support.relations[:-1], "relations of shape"),
        (support.values, 2 * support.relations, "not all -1, 0 or 1"),
        (torch.full_like(support.values, torch.nan), support.relations, "NaN or infinity"),
    ):
        broken = MeasuredMolecules(support.molecules, values, relations)
        checkpoint = replace(target.checkpoint, support=broken)
        with pytest.raises(OutputError, match=said):
            save_checkpoint(tmp_path / "broken.molmeta", checkpoint)


def test_a_probability_near_a_coins_is_withheld_on_request_and_a_sure_one_is_not() -> None:
    for probability, withheld in ((0.5, True), (0.36, True), (0.64, True), (0.34, False)):
        logit = math.log(probability / (1 - probability))
        row = target_module.ScoredRow(
            Status.OK_CHANGED, "salt: removed", text="CCO", logit=logit, low=0.1, high=0.9,
            deviation=1.0, similarity=0.5, in_support=True, seen=True,
        )  # fmt: skip
        answer = row.or_abstained()
        assert (answer.status == Status.ABSTAINED) == withheld
        if not withheld:
            assert answer is row
            continue
        assert answer.reason == (
            f"salt: removed; abstained: a probability of {probability:.2f} is hardly better than "
            "a coin's"
        )
        assert (answer.logit, answer.probability, answer.merit) == (None, None, None)
        assert (answer.low, answer.high, answer.deviation) == (None, None, None)
        assert not answer.is_usable
        assert (answer.smiles, answer.similarity) == ("CCO", 0.5)
        assert (answer.in_support, answer.seen) == (True, True)


def test_an_answer_for_a_compound_unlike_the_support_is_withheld_on_request(
    target: TargetModel,
) -> None:
    measured = adapt_target(tiny_checkpoint(), measured_set())
    for model in (target, measured):
        far, broken = model.score([UNLIKE_ALL, "C1CC"])
        assert far.or_abstained().status == Status.ABSTAINED
        assert far.or_abstained().reason.startswith("domain: ")
        assert far.or_abstained().value is None
        assert broken.or_abstained() is broken


def test_a_probability_has_an_interval_that_narrows_with_the_support(target: TargetModel) -> None:
    (row,) = target.score([LIKE_ACTIVES])
    assert row.logit is not None
    assert row.low is not None
    assert row.high is not None
    assert row.probability is not None
    assert 0 < row.low < row.probability < row.high < 1
    reach = target_module.probability_reach(len(SUPPORT))
    assert math.log(row.high / (1 - row.high)) - row.logit == pytest.approx(reach, abs=1e-3)
    assert row.logit - math.log(row.low / (1 - row.low)) == pytest.approx(reach, abs=1e-3)
    # As measured: benchmarks/domain.py.
    for n, measured in ((16, 1.86), (32, 1.60), (64, 1.31)):
        assert target_module.probability_reach(n) == pytest.approx(measured, abs=0.03)


def test_a_target_without_memory_or_a_compound_is_another_model() -> None:
    checkpoint = tiny_checkpoint()
    target = adapt_target(checkpoint, support_set())
    rows = torch.tensor([i for i in range(len(SUPPORT)) if i != 1])
    fewer = target.of_support(rows)
    assert len(fewer.support) == len(fewer.checkpoint.support_smiles) == len(SUPPORT) - 1
    assert fewer.score([LIKE_ACTIVES]) != target.score([LIKE_ACTIVES])
    assert target.without_memory().checkpoint.learner.memory is None
    assert target.without_memory().score([LIKE_ACTIVES]) == target.score([LIKE_ACTIVES])


def test_merits_are_those_of_the_rows(target: TargetModel) -> None:
    texts = [LIKE_ACTIVES, LIKE_INACTIVES]
    read = [read_smiles(text) for text in texts]
    batch = featurize([molecule for molecule in read if isinstance(molecule, Molecule)])
    actives = adapt_target(tiny_checkpoint(), build_support(ACTIVES, [1] * 4, allow_tiny=True))
    for model in (target, adapt_target(tiny_checkpoint(), measured_set()), actives):
        expected = [row.merit for row in model.score(texts)]
        assert model.merits(batch).tolist() == pytest.approx(expected)
