"""`molmeta leaks` from files to a table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Run
from tests.tiny_model import SEEN


def write(path: Path, **assays: dict[str, int]) -> Path:
    rows = [
        {"assay_id": name, "smiles": smiles, "label": label}
        for name, labels in assays.items()
        for smiles, label in labels.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def folds(tmp_path: Path) -> tuple[Path, Path]:
    train = write(
        tmp_path / "train.parquet",
        A={SEEN: 1, "CCN": 0, "C[C@H](F)Cl": 1},
        B={"CCCC": 0, "CCCCO": 1},
    )
    valid = write(
        tmp_path / "valid.parquet",
        C={"OCCCC": 1, "CCCC": 0},
        D={"C[C@@H](F)Cl": 1, "CCBr": 0, "CCI": 0, "C(": 1},
    )
    return train, valid


def cells(line: str) -> str:
    return " ".join(line.split())


def test_folds_and_models_are_compared(run: Run, folds: tuple[Path, Path], learner: Path) -> None:
    words = ["leaks", "--assays", "train.parquet", "--assays", "valid.parquet"]
    result = run(*words, "--model", learner, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    assert [cells(line) for line in result.stdout.splitlines()] == [
        "fold found in molecules without stereo assays by id by content",
        "train.parquet valid.parquet 2 of 5 (40.0%) 3 of 5 (60.0%) 0 of 2 (0.0%) 1 of 2 (50.0%)",
        "valid.parquet train.parquet 2 of 5 (40.0%) 3 of 5 (60.0%) 0 of 2 (0.0%) 1 of 2 (50.0%)",
        f"train.parquet {learner} 1 of 5 (20.0%) - - -",
        f"valid.parquet {learner} 0 of 5 (0.0%) - - -",
        "Assays of train.parquet in valid.parquet: B (there called C).",
        "Assays of valid.parquet in train.parquet: C (there called B).",
    ]


def test_one_fold_and_a_model_are_enough(run: Run, folds: tuple[Path, Path], learner: Path) -> None:
    result = run("leaks", "--assays", "train.parquet", "--model", learner, "--workers", 1)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2), result.stderr


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "Missing option '--assays'"),
        (("--assays", "train.parquet"), 2, "Give two folds to compare"),
        (("--assays", "train.parquet") * 2, 2, "train.parquet is given twice"),
        (("--assays", "train.parquet", "--assays", "missing.parquet"), 3, "There is no file"),
        (("--assays", "train.parquet", "--model", "valid.parquet"), 5, "valid.parquet"),
    ],
)
def test_what_cannot_be_compared_ends_in_a_sentence(
    run: Run, folds: tuple[Path, Path], words: tuple[str, ...], code: int, sentence: str
) -> None:
    result = run("leaks", *words, *(("--workers", 1) if words else ()))
    assert (result.exit_code, sentence in result.stderr) == (code, True), result.stderr
