"""A small library, in place of a table, and how it is indexed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from molmeta.assays.tables import Row
from molmeta.chem.intake import Rejection, Status
from molmeta.learners.base import HeadLearner
from tests.molecules import MOLECULES
from tests.tiny_model import tiny_checkpoint

TEXTS = (*MOLECULES[:40], "nonsense", "", *MOLECULES[40:90], "CC(=O)[O-].[Na+]", *MOLECULES[:3])
"""Molecules, two rows that are none, one that the intake changes, and three that occur twice."""


class Library:
    """Rows of a text and a name each."""

    source = "library.csv"
    columns: tuple[str, ...] = ("smiles", "name")
    smiles_column = "smiles"

    def __init__(self, texts: Sequence[str] = TEXTS) -> None:
        self.rows = [
            Row(i, text, (text, f"id{i}, »{i}«"), None, i + 1) for i, text in enumerate(texts, 1)
        ]
        if len(texts) > 60:
            problem = Rejection(Status.PARSE_ERROR, "line 61 has 3 cells where the header has 2")
            self.rows[59] = Row(60, "CCO", ("CCO", "id60"), problem, 61)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def learner_of(learner: str = "deepkernel") -> HeadLearner:
    """Of the tiny model."""
    tiny = tiny_checkpoint(learner).learner
    assert isinstance(tiny, HeadLearner)
    return tiny


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of an index."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
