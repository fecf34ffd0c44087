"""`python -m benchmarks.fsmol` from a folder of folds to a folder of results."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks import fsmol
from molmeta.checkpoint import save_checkpoint
from molmeta.evaluation.benchmark import BASELINES
from tests.molecules import DRUGS
from tests.tiny_model import tiny_checkpoint


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A novel fold of two assays of forty drugs."""
    rows = [
        {"assay_id": name, "smiles": smiles, "label": int(letter in smiles)}
        for name, letter in (("hydroxyl", "O)"), ("fluorine", "F"))
        for smiles in DRUGS[:40]
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "novel.parquet")
    return tmp_path


def test_a_fold_is_measured_with_every_baseline_and_with_and_without_the_memory(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsmol, "BASELINES", ("knn", "tanimoto_gp"))
    save_checkpoint(data / "tiny.molmeta", tiny_checkpoint())
    words = ["--data", data, "--fold", "novel", "--model", data / "tiny.molmeta"]
    words += ["--output", data / "results"]
    done = CliRunner().invoke(fsmol.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    draws = pq.read_table(data / "results" / "draws.parquet").to_pandas()
    name = str(data / "tiny.molmeta")
    assert list(draws.method.unique()) == [name, f"{name} without memory", "knn", "tanimoto_gp"]
    # Forty molecules leave a query for 16 and 32 only.
    assert set(draws.groupby(["method", "support_size"]).size()) == {2 * 10}
    assert set(draws.support_size) == {16, 32}
    kept = pq.read_metadata(data / "results" / "predictions.parquet").num_rows
    assert kept == draws.n_query.sum()
    assert "ΔAUPRC, mostly_novel (2 of 2 assays)" in done.output


def test_a_fold_that_is_not_there_is_named(data: Path) -> None:
    words = ["--data", data, "--fold", "test", "--output", data / "results"]
    done = CliRunner().invoke(fsmol.main, list(map(str, words)))
    assert done.exit_code == 3
    assert "test.parquet" in done.output


def test_no_baseline_of_the_readme_is_missing() -> None:
    assert {"random_forest", "knn", "logistic_regression", "tanimoto_gp"} <= set(BASELINES)
