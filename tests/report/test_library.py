"""A library is read once: all rows go to the tables, the best ones and the failures are kept."""

import pytest

from molmeta.assays.tables import Row
from molmeta.chem.intake import Status
from molmeta.chem.status import Rejection
from molmeta.report.library import MAX_LISTED, read_library
from molmeta.screening import APPENDED
from molmeta.target import TargetModel, adapt_target
from tests.molecules import MOLECULES
from tests.tiny_model import LIKE_ACTIVES, support_set, tiny_checkpoint

COLUMNS = ("smiles",)


class Kept:
    """An output that keeps its rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def write(self, cells: tuple[str, ...]) -> None:
        self.rows.append(cells)


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


def rows_of(*smiles: str) -> list[Row]:
    return [Row(i, text, (text,), None, i) for i, text in enumerate(smiles, 1)]


def test_the_best_are_those_with_the_greatest_scores_in_order(target: TargetModel) -> None:
    library = read_library(
        target, rows_of(*MOLECULES[:40]), columns=COLUMNS, smiles_column="smiles", top=7
    )
    scored = target.score(MOLECULES[:40])
    places = sorted(range(40), key=lambda i: (-(scored[i].merit or 0.0), i))[:7]
    assert [one.row.number - 1 for one in library.best] == places
    assert library.summary.n_rows == 40


def test_equal_molecules_keep_the_order_of_the_input_and_know_of_each_other(
    target: TargetModel,
) -> None:
    rows = rows_of("CCCCCCO", LIKE_ACTIVES, f"{LIKE_ACTIVES}.Cl", LIKE_ACTIVES)
    library = read_library(target, rows, columns=COLUMNS, smiles_column="smiles")
    of_like = [one.row.number for one in library.best if one.row.number != 1]
    assert of_like == [2, 3, 4]
    assert list(library.repeats.values()) == [[2, 3, 4]]
    assert dict(library.changes) == {"salt: removed hydrochloride (Cl)": 1}


def test_tables_get_every_row_in_its_place(target: TargetModel) -> None:
    damaged = Row(3, "", ("CCO",), Rejection(Status.PARSE_ERROR, "a ragged row"), 3)
    output, n_done = Kept(), []
    library = read_library(
        target,
        [*rows_of("CCO", "C1CC"), damaged],
        columns=COLUMNS,
        smiles_column="smiles",
        top=1,
        outputs=[output],
        progress=n_done.append,
    )
    assert [row[0] for row in output.rows] == ["CCO", "C1CC", "CCO"]
    assert all(len(row) == 1 + len(APPENDED) for row in output.rows)
    assert output.rows[2][-1] == "a ragged row"
    assert [one.row.number for one in library.unreadable] == [2, 3]
    assert sum(n_done) == 3


def test_of_many_failures_the_first_are_listed_and_all_counted(target: TargetModel) -> None:
    rows = rows_of(*["C1CC"] * (MAX_LISTED + 5))
    library = read_library(target, rows, columns=COLUMNS, smiles_column="smiles")
    assert [one.row.number for one in library.unreadable] == list(range(1, MAX_LISTED + 1))
    assert library.summary.n_failed == MAX_LISTED + 5
    assert library.best == ()
