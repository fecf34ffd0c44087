"""`explain`: parts that add up, whatever the method, and rows in their place."""

import json
import math

import pytest
import torch

from molmeta.assays.support import build_support
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, Status, read_smiles
from molmeta.errors import InputError
from molmeta.explanation.explain import explain
from molmeta.explanation.support import MEANING, Method, support_shares
from molmeta.target import TargetModel, adapt_target
from tests.tiny_model import (
    ACTIVES,
    INACTIVES,
    LABELS,
    LIKE_ACTIVES,
    LIKE_INACTIVES,
    SUPPORT,
    measured_set,
    support_set,
    tiny_checkpoint,
)


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


def batch_of(*texts: str) -> MoleculeBatch:
    molecules = [read_smiles(text) for text in texts]
    return featurize([molecule for molecule in molecules if isinstance(molecule, Molecule)])


@pytest.mark.parametrize("name", ["deepkernel", "protonet", "adkf"])
def test_base_and_shares_add_up_to_the_log_odds(name: str) -> None:
    target = adapt_target(tiny_checkpoint(name), support_set())
    for one in explain(target, [LIKE_ACTIVES, LIKE_INACTIVES], atoms=False):
        assert one.method == Method.EXACT
        assert one.total == pytest.approx(one.scored.logit, abs=1e-5)
        assert one.base.keys() <= MEANING.keys()
        assert len(one.support) == len(SUPPORT)
        for share in one.support:
            assert sum(share.by_kernel.values()) == pytest.approx(share.share, abs=1e-9)


def test_base_and_shares_add_up_to_the_value() -> None:
    target = adapt_target(tiny_checkpoint(), measured_set())
    (one,) = explain(target, [LIKE_ACTIVES], atoms=False)
    assert one.total == pytest.approx(one.scored.value, abs=1e-5)
    labels = {share.smiles: (share.label, share.relation) for share in one.support}
    assert labels[ACTIVES[0]] == (pytest.approx(8.30, abs=0.01), 0)
    assert labels[INACTIVES[0]] == (pytest.approx(5.0), -1)


def test_each_share_is_named_after_its_own_compound_in_any_order_of_the_support() -> None:
    order = [5, 2, 7, 0, 3, 6, 1, 4]
    mixed = build_support([SUPPORT[i] for i in order], [LABELS[i] for i in order])
    found = []
    for support in (support_set(), mixed):
        (one,) = explain(adapt_target(tiny_checkpoint(), support), [LIKE_ACTIVES], atoms=False)
        found.append({share.smiles: share for share in one.support})
    assert found[0].keys() == found[1].keys()
    for smiles, share in found[0].items():
        assert share.share == pytest.approx(found[1][smiles].share, abs=1e-9)
        assert share.label == found[1][smiles].label
    # The untrained kernel is mostly the fingerprints': what is alike pulls most.
    assert found[0][ACTIVES[1]].share > 0 > found[0][INACTIVES[0]].share


def test_the_largest_share_of_either_sign_comes_first(target: TargetModel) -> None:
    (one,) = explain(target, [LIKE_INACTIVES], atoms=False)
    weights = [abs(share.share) for share in one.support]
    assert weights == sorted(weights, reverse=True)
    assert one.support[0].share < 0


@pytest.mark.parametrize("name", ["tanimoto_knn", "matching"])
def test_methods_that_are_no_sum_are_explained_by_leaving_compounds_out(name: str) -> None:
    target = adapt_target(tiny_checkpoint(name), support_set())
    molecules = batch_of(LIKE_ACTIVES, LIKE_INACTIVES)
    found = support_shares(target, molecules)
    assert found.method == Method.LEFT_OUT
    assert found.base == found.by_kernel == {}
    rest = [i for i in range(len(SUPPORT)) if i != 2]
    without = adapt_target(
        tiny_checkpoint(name), build_support([SUPPORT[i] for i in rest], [LABELS[i] for i in rest])
    )
    expected = target.merits(molecules) - without.merits(molecules)
    place = target.checkpoint.support_smiles.index(SUPPORT[2])
    torch.testing.assert_close(found.shares[place], expected.double(), atol=1e-6, rtol=0)


def test_a_compound_that_cannot_be_left_out_has_no_share() -> None:
    support = build_support([*ACTIVES, INACTIVES[0]], [1, 1, 1, 1, 0])
    target = adapt_target(tiny_checkpoint("tanimoto_knn"), support)
    (one,) = explain(target, [LIKE_ACTIVES], atoms=False)
    assert math.isnan(one.support[-1].share)
    assert one.support[-1].smiles == INACTIVES[0]
    assert one.document()["support"][-1]["share"] is None


def test_actives_alone_are_explained_by_the_nearest() -> None:
    target = adapt_target(tiny_checkpoint(), build_support(ACTIVES, [1] * 4, allow_tiny=True))
    (one,) = explain(target, [LIKE_ACTIVES])
    assert one.method == Method.NEAREST
    assert one.total == pytest.approx(one.scored.similarity)
    assert [share.share for share in one.support[1:]] == [0.0] * 3
    assert one.atoms is not None
    assert max(one.atoms.shares) > 0


def test_rejected_compounds_keep_their_place_and_are_not_explained(target: TargetModel) -> None:
    first, broken, last = explain(target, [LIKE_ACTIVES, "C1CC", LIKE_ACTIVES])
    assert first == last
    assert broken.scored.status == Status.PARSE_ERROR
    assert (broken.method, broken.support, broken.atoms) == (None, (), None)
    with pytest.raises(InputError, match="no structure"):
        broken.svg()


def test_the_document_is_json_and_says_everything(target: TargetModel) -> None:
    (one, broken) = explain(target, [LIKE_ACTIVES, ""])
    document = json.loads(json.dumps([one.document(), broken.document()], allow_nan=False))
    assert document[0]["scored"]["probability"] == pytest.approx(one.scored.probability)
    assert document[0]["method"] == "exact"
    assert len(document[0]["support"]) == len(SUPPORT)
    assert document[0]["atoms"]["shares"] == pytest.approx(list(one.atoms.shares))  # type: ignore[union-attr]
    assert document[1]["support"] == []
