"""`molmeta suggest` writes a batch with its reasons."""

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.tiny_model import LIKE_ACTIVES, LIKE_INACTIVES, SUPPORT


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two that are new, one that is broken, and the support."""
    path = tmp_path / "library.csv"
    smiles = [LIKE_INACTIVES, "C1CC", LIKE_ACTIVES, *SUPPORT]
    rows = [f"{text},c{i}" for i, text in enumerate(smiles)]
    path.write_text("\n".join(["smiles,why", *rows]) + "\n")
    return path


def test_the_batch_has_the_librarys_cells_and_its_reasons(
    run: Run, assay: Path, library: Path
) -> None:
    result = run("suggest", "--support", assay, "--input", library, "--batch", 1)
    assert result.exit_code == 0
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert (row["smiles"], row["why"], row["pick"]) == (LIKE_ACTIVES, "c2", "1")
    assert row["molmeta_why"].startswith("rank 1 by score: active with probability 0.")
    assert float(row["low"]) < float(row["probability"]) < float(row["high"])
    assert "11 rows: " in result.stderr
    assert "1 parse_error" in result.stderr


def test_fewer_than_asked_for_are_told(run: Run, assay: Path, library: Path) -> None:
    result = run("suggest", "--support", assay, "--input", library, "--output", "picks.sdf")
    assert result.exit_code == 0
    assert "only 2 compounds" in result.stderr
    assert library.with_name("picks.sdf").read_text().count("$$$$") == 2


def test_a_target_model_can_suggest_too(run: Run, assay: Path, library: Path) -> None:
    assert run("adapt", "--support", assay, "--output", "t.molmeta").exit_code == 0
    by_model = run("suggest", "--model", "t.molmeta", "--input", library, "--quiet")
    by_support = run("suggest", "--support", assay, "--input", library, "--quiet")
    assert by_model.stdout == by_support.stdout
    assert by_model.stderr == ""


def test_a_call_that_makes_no_sense_is_told(run: Run, assay: Path, library: Path) -> None:
    assert run("suggest", "--support", assay).exit_code == 2
    assert run("suggest", "--input", library).exit_code == 2
    words = ("suggest", "--support", assay, "--input", library)
    assert run(*words, "--batch", 0).exit_code == 2
    assert run(*words, "--max-similarity", 0).exit_code == 2
    same = run(*words, "--output", library, "--overwrite")
    assert same.exit_code == 6
    assert library.read_text().startswith("smiles,why")
