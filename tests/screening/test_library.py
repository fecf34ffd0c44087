"""screen: each row of a table in its place with its score, or the best of them, in order."""

import tracemalloc
from collections.abc import Iterator, Sequence

import pytest

from molmeta.assays.tables import Row
from molmeta.chem.intake import Rejection, Status
from molmeta.scores import ScoredRow
from molmeta.screening import APPENDED, appended_columns, screen
from molmeta.target import TargetModel, adapt_target
from tests.molecules import MOLECULES
from tests.tiny_model import LIKE_ACTIVES, LIKE_INACTIVES, UNLIKE_ALL, support_set, tiny_checkpoint


class Kept:
    """An output that remembers its rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def write(self, cells: Sequence[str]) -> None:
        self.rows.append(tuple(cells))


class ScoresByTable(TargetModel):
    """Gives each text the logit written in it."""

    predicts_values = False

    def __init__(self) -> None:
        pass

    def score(self, texts: Sequence[object]) -> list[ScoredRow]:
        return [
            ScoredRow(Status.OK, "", text="C", logit=float(str(text)), similarity=0.5)
            if text
            else ScoredRow(Status.EMPTY, "no text")
            for text in texts
        ]


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


def rows_of(texts: Sequence[str]) -> list[Row]:
    return [Row(i, text, (text, f"id{i}"), None, i + 1) for i, text in enumerate(texts, start=1)]


def test_every_row_comes_out_in_order_with_its_cells_unchanged(target: TargetModel) -> None:
    rows = rows_of([LIKE_ACTIVES, "", " nonsense ", LIKE_INACTIVES])
    output = Kept()
    screen(target, rows, output, chunk_size=3)
    assert [row[:2] for row in output.rows] == [row.cells for row in rows]
    by_name = [dict(zip(APPENDED, row[2:], strict=True)) for row in output.rows]
    assert [cells["probability"] != "" for cells in by_name] == [True, False, False, True]
    assert [cells["status"] for cells in by_name] == ["ok", "empty", "not_smiles", "ok"]
    assert [bool(cells["reason"]) for cells in by_name] == [False, True, True, False]


def test_numbers_have_six_significant_digits_and_nothing_is_an_empty_cell(
    target: TargetModel,
) -> None:
    (expected,) = target.score([LIKE_ACTIVES])
    output = Kept()
    screen(target, rows_of([LIKE_ACTIVES, ""]), output)
    scored = dict(zip(APPENDED, output.rows[0][2:], strict=True))
    assert scored["probability"] == f"{expected.probability:.6g}"
    assert scored["deviation"] == f"{expected.deviation:.6g}"
    assert (scored["in_support"], scored["known"]) == ("", "")
    assert output.rows[1][2:7] == ("", "", "", "", "")


def test_a_row_that_the_file_damaged_is_not_scored(target: TargetModel) -> None:
    problem = Rejection(Status.PARSE_ERROR, "line 2 has 3 cells where the header has 2")
    output = Kept()
    summary = screen(target, [Row(1, LIKE_ACTIVES, (LIKE_ACTIVES,), problem, 2)], output)
    assert output.rows == [(LIKE_ACTIVES, *[""] * 7, "parse_error", problem.reason)]
    assert summary.n_failed == 1


def test_the_chunk_size_changes_no_row(target: TargetModel) -> None:
    texts = [*MOLECULES[:30], "", *MOLECULES[:5]]
    outputs = []
    for chunk_size in (1, 7, 1000):
        output = Kept()
        screen(target, rows_of(texts), output, chunk_size=chunk_size)
        outputs.append(output.rows)
    for rows in outputs[1:]:
        for row, first in zip(rows, outputs[0], strict=True):
            assert (row[:2], row[5:]) == (first[:2], first[5:])
            assert [float(cell or -1) for cell in row[2:5]] == pytest.approx(
                [float(cell or -1) for cell in first[2:5]], abs=1e-5
            )


def test_top_keeps_the_best_first_and_equal_ones_in_the_order_of_the_input() -> None:
    texts = ["1", "3", "", "2", "3", "0", "2", "3"]
    output = Kept()
    summary = screen(ScoresByTable(), rows_of(texts), output, top=5, chunk_size=3)
    assert [row[1] for row in output.rows] == ["id2", "id5", "id8", "id4", "id7"]
    assert [row[2] for row in output.rows] == ["1", "2", "3", "4", "5"]
    assert (summary.n_rows, summary.n_failed) == (8, 1)


def test_top_agrees_with_sorting_everything(target: TargetModel) -> None:
    texts = list(MOLECULES[:60])
    output = Kept()
    screen(target, rows_of(texts), output, top=10, chunk_size=16)
    scored = target.score(texts)
    order = sorted(range(len(texts)), key=lambda i: (-(scored[i].logit or 0.0), i))
    assert [row[1] for row in output.rows] == [f"id{i + 1}" for i in order[:10]]


def test_top_above_the_number_of_rows_gives_all_that_have_a_score() -> None:
    output = Kept()
    screen(ScoresByTable(), rows_of(["1", "", "2"]), output, top=10)
    assert [row[1] for row in output.rows] == ["id3", "id1"]


def test_appended_names_that_the_input_has_get_a_prefix() -> None:
    names = appended_columns(["smiles", "status", "molmeta_status", "rank"], ranked=True)
    assert list(names) == ["rank", *APPENDED]
    assert names["rank"] == "molmeta_rank"
    assert names["status"] == "molmeta_molmeta_status"
    assert names["reason"] == "reason"
    assert "rank" not in appended_columns(["smiles"], ranked=False)


def test_the_summary_counts_every_row_by_its_status(target: TargetModel) -> None:
    seen: list[int] = []
    texts = [LIKE_ACTIVES, "", "", UNLIKE_ALL, "CC(=O)Nc1ccc(O)cc1"]
    output = Kept()
    summary = screen(target, rows_of(texts), output, chunk_size=2, progress=seen.append)
    known = [dict(zip(APPENDED, row[2:], strict=True))["known"] for row in output.rows]
    assert known.count("true") == 1
    assert dict(summary.by_status) == {Status.OK: 2, Status.EMPTY: 2, Status.WARN_DOMAIN: 1}
    assert (summary.n_rows, summary.n_failed) == (5, 2)
    assert (summary.n_in_support, summary.n_seen) == (1, 1)
    assert seen == [2, 2, 1]


def test_no_rows_give_no_rows(target: TargetModel) -> None:
    output = Kept()
    assert screen(target, [], output).n_rows == 0
    assert output.rows == []


def test_memory_does_not_grow_with_the_table() -> None:
    class Dropped:
        def write(self, cells: Sequence[str]) -> None:
            pass

    def endless(n: int) -> Iterator[Row]:
        for i in range(n):
            text = str(i)
            yield Row(i, text, (text, "x" * 1000 + text), None, i)

    peaks = []
    for n in (2_000, 20_000):
        tracemalloc.start()
        screen(ScoresByTable(), endless(n), Dropped(), chunk_size=500, top=10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
