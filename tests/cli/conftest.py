"""The command in this process and in one of its own, and the files it reads."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from molmeta_cli.main import main

from molmeta.checkpoint import save_checkpoint
from tests.molecules import DRUGS
from tests.tiny_model import LABELS, SUPPORT, tiny_checkpoint

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "learner.molmeta"
    save_checkpoint(path, tiny_checkpoint())
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, learner: Path) -> Run:
    """`molmeta` with these words, in an empty folder, with the tiny learner as the shipped one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("molmeta.checkpoint.shipped_model_path", lambda: learner)

    def invoke(*words: str | Path, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(main, [str(word) for word in words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def assay(tmp_path: Path) -> Path:
    """The support of tests/tiny_model.py as a CSV file."""
    path = tmp_path / "assay.csv"
    rows = [f"{smiles},{label}" for smiles, label in zip(SUPPORT, LABELS, strict=True)]
    path.write_text("\n".join(["smiles,label", *rows]) + "\n")
    return path


@pytest.fixture
def assays(tmp_path: Path) -> Path:
    """Two assays of sixty drugs: is there such a group?"""
    rows = [
        {"assay_id": name, "smiles": smiles, "label": int(letter in smiles)}
        for name, letter in (("hydroxyl", "O)"), ("fluorine", "F"))
        for smiles in DRUGS[:60]
    ]
    path = tmp_path / "assays.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """`molmeta` with these words in a process of its own."""

    def popen(*words: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "molmeta_cli.main", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )

    return popen
