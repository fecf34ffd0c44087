"""`suggest`: what is picked, for which reason, and what never is."""

import re
from collections.abc import Sequence

import pytest

from molmeta.assays.support import build_support
from molmeta.assays.tables import Row
from molmeta.chem.status import Rejection, Status
from molmeta.errors import ConfigError
from molmeta.suggestion import suggest as suggest_module
from molmeta.suggestion.picks import appended_columns
from molmeta.suggestion.suggest import suggest
from molmeta.target import TargetModel, adapt_target
from tests.molecules import DRUGS
from tests.tiny_model import (
    ACTIVES,
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


def rows_of(texts: Sequence[str]) -> list[Row]:
    return [Row(i, text, (text,), None, i) for i, text in enumerate(texts, 1)]


def test_picks_are_in_order_with_their_rows_and_reasons(target: TargetModel) -> None:
    library = [LIKE_INACTIVES, "C1CC", LIKE_ACTIVES, "CCCCCCCCO", "CC(=O)Nc1ccc(Br)cc1"]
    found = suggest(target, rows_of(library), batch=2)
    assert [pick.number for pick in found.picks] == [1, 2]
    assert {pick.row.smiles for pick in found.picks} == {LIKE_ACTIVES, "CC(=O)Nc1ccc(Br)cc1"}
    first, second = found.picks
    assert first.similarity_to_picks is None
    assert second.similarity_to_picks == pytest.approx(0.72, abs=0.1)
    assert (found.n_rows, found.n_pool) == (5, 4)
    assert found.by_status == {Status.OK: 4, Status.PARSE_ERROR: 1}
    for pick in found.picks:
        assert f"probability {pick.scored.probability:.2f}" in pick.why
        assert re.search(r"most like your \S+ \(active\), similarity 0\.\d\d", pick.why)
        cells = dict(zip(appended_columns(False), pick.cells(False), strict=True))
        assert float(cells["probability"]) == pytest.approx(pick.scored.probability, abs=1e-5)
        assert cells["pick"] == str(pick.number)


def test_the_support_rejected_rows_and_repeats_are_never_picked(target: TargetModel) -> None:
    damaged = Row(9, "CCO", ("CCO",), Rejection(Status.PARSE_ERROR, "ragged"), 9)
    texts = [*SUPPORT, "", "OCC", "CCO", "CCO.Cl", LIKE_ACTIVES]
    found = suggest(target, [*rows_of(texts), damaged])
    assert sorted(pick.row.smiles for pick in found.picks) == [LIKE_ACTIVES, "OCC"]
    assert found.n_rows == len(texts) + 1


def test_a_small_pool_holds_the_best_of_the_library(
    target: TargetModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggest_module, "CHUNK", 7)
    library = rows_of([drug for drug in DRUGS if drug not in SUPPORT][:60])
    scored = target.score_rows(library)
    merits = {row.smiles: one.merit for row, one in zip(library, scored, strict=True)}
    best = sorted(merits, key=lambda smiles: merits[smiles] or 0.0, reverse=True)[:5]
    steps: list[int] = []
    found = suggest(target, library, batch=5, pool=5, progress=steps.append)
    assert {pick.row.smiles for pick in found.picks} == set(best)
    assert found.n_pool == 5
    assert sum(steps) == 60


@pytest.mark.parametrize("name", ["protonet", "tanimoto_knn", "maml"])
def test_methods_without_a_joint_belief_suggest_by_their_scores(name: str) -> None:
    target = adapt_target(tiny_checkpoint(name), support_set())
    library = rows_of([drug for drug in DRUGS if drug not in SUPPORT][:30])
    found = suggest(target, library, batch=4, max_similarity=1.0)
    merits = [pick.scored.merit or 0.0 for pick in found.picks]
    assert merits == sorted(merits, reverse=True)
    assert merits[-1] >= sorted(one.merit or 0.0 for one in target.score_rows(library))[-4]


def test_values_are_suggested_from_the_high_end() -> None:
    target = adapt_target(tiny_checkpoint(), measured_set())
    found = suggest(target, rows_of([LIKE_INACTIVES, LIKE_ACTIVES]), batch=1)
    (pick,) = found.picks
    assert pick.row.smiles == LIKE_ACTIVES
    assert f"{pick.scored.value:.2f} expected" in pick.why
    cells = dict(zip(appended_columns(True), pick.cells(True), strict=True))
    assert float(cells["low"]) < float(cells["value"]) < float(cells["high"])


def test_actives_alone_suggest_what_is_like_them() -> None:
    target = adapt_target(tiny_checkpoint(), build_support(ACTIVES, [1] * 4, allow_tiny=True))
    found = suggest(target, rows_of([LIKE_INACTIVES, LIKE_ACTIVES]), batch=2)
    assert [pick.row.smiles for pick in found.picks] == [LIKE_ACTIVES, LIKE_INACTIVES]
    assert "a guess" in found.picks[1].why
    assert found.picks[0].cells(False)[1] == ""


def test_a_library_with_nothing_to_pick_gives_an_empty_batch(target: TargetModel) -> None:
    found = suggest(target, rows_of(["", *SUPPORT]))
    assert found.picks == ()
    assert suggest(target, []).n_rows == 0


def test_numbers_that_cannot_be_are_refused(target: TargetModel) -> None:
    with pytest.raises(ConfigError, match="at least 1 compound"):
        suggest(target, [], batch=0)
    with pytest.raises(ConfigError, match="at most 1"):
        suggest(target, [], max_similarity=1.5)
