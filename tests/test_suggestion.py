"""`suggest`: what is picked, in which order, and what never is."""

import re
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from molmeta import suggestion
from molmeta.assays.support import build_support
from molmeta.assays.tables import Row
from molmeta.chem.status import Rejection, Status
from molmeta.errors import ConfigError
from molmeta.learners.parts import Joint
from molmeta.suggestion import appended_columns, picked_places, suggest
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


def belief(
    mean: list[float], covariance: list[list[float]] | None = None, noise: float = 0.1
) -> Joint:
    n = len(mean)
    matrix = torch.tensor(covariance) if covariance else torch.zeros(n, n)
    return Joint(torch.tensor(mean).double(), matrix.double(), torch.tensor(noise).double())


def alike(pairs: dict[tuple[int, int], float], n: int) -> Callable[[int], Tensor]:
    matrix = torch.eye(n)
    for (i, j), value in pairs.items():
        matrix[i, j] = matrix[j, i] = value
    return lambda place: matrix[place]


def test_without_doubt_the_best_come_first() -> None:
    picks = picked_places(belief([0.1, 0.9, 0.5]), alike({}, 3), 2)
    assert [place for place, _ in picks] == [1, 2]
    assert len(picked_places(belief([0.1, 0.9]), alike({}, 2), 24)) == 2


def test_a_near_copy_of_a_pick_waits_until_nothing_else_is_left() -> None:
    similarity = alike({(0, 1): 0.95, (0, 2): 0.2}, 3)
    picks = picked_places(belief([0.9, 0.8, 0.1]), similarity, 3, max_similarity=0.9)
    assert [place for place, _ in picks] == [0, 2, 1]
    assert [near for _, near in picks] == pytest.approx([0.0, 0.2, 0.95])


def test_doubt_counts_until_an_earlier_pick_will_have_settled_it() -> None:
    # 0 and 1 vary together; 2 is a little worse, and independent of them.
    covariance = [[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]]
    mean = [0.5, 0.45, 0.4]
    hopeful = picked_places(belief(mean, covariance), alike({}, 3), 3, optimism=1.0)
    assert [place for place, _ in hopeful] == [0, 2, 1]
    plain = picked_places(belief(mean, covariance), alike({}, 3), 3, optimism=0.0)
    assert [place for place, _ in plain] == [0, 1, 2]


def test_the_deviation_left_is_that_of_a_gaussian_process_with_the_picks_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    covariance, noise = half @ half.T, 0.3
    order = [place for place, _ in picked_places(
        Joint(torch.zeros(5).double(), covariance, torch.tensor(noise).double()),
        alike({}, 5), 3, optimism=1.0,
    )]  # fmt: skip
    expected: list[int] = []
    for _ in range(3):
        cross = covariance[expected]
        known = covariance[expected][:, expected] + noise * torch.eye(len(expected)).double()
        left = covariance - cross.T @ torch.linalg.solve(known, cross)
        variance = left.diagonal().clone()
        variance[expected] = -1
        expected.append(int(variance.argmax()))
    assert order == expected


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
    monkeypatch.setattr(suggestion, "CHUNK", 7)
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
