"""`python -m benchmarks.ablation`: a row for each part, and a part that is off has no effect."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks import ablation
from molmeta.assays.store import open_store
from molmeta.checkpoint import Checkpoint, save_checkpoint
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig
from tests.molecules import DRUGS
from tests.tiny_model import tiny_checkpoint


@pytest.fixture
def fold(tmp_path: Path) -> Path:
    """Two assays of ninety drugs; fluorine or a hydroxyl in a branch makes active, or a ring."""
    marks = {"A": ("F", "O)"), "B": ("C1C",)}
    rows = [
        {"assay_id": name, "smiles": smiles, "label": int(any(mark in smiles for mark in some))}
        for name, some in marks.items()
        for smiles in DRUGS[:90]
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "fold.parquet")
    return tmp_path / "fold.parquet"


def _words(fold: Path, checkpoint: Checkpoint) -> list[str]:
    """Of a command line with the model in a file."""
    model = fold.with_name("tiny.molmeta")
    save_checkpoint(model, checkpoint)
    return ["--data", str(fold), "--assays", str(fold), "--model", str(model)]


def test_each_part_has_a_row_and_only_parts_that_speak_change_it(fold: Path) -> None:
    checkpoint = tiny_checkpoint()
    assert isinstance(checkpoint.learner, DeepKernel)
    checkpoint.learner.memory = None
    origin = replace(checkpoint.provenance, data_sha256=(open_store(fold).sha256,))
    words = _words(fold, replace(checkpoint, provenance=origin))
    done = CliRunner().invoke(ablation.main, [*words, "--steps", "1", "--runs", "1"])
    assert done.exit_code == 0, done.output
    rows = {line[:32].strip(): line[32:] for line in done.output.splitlines() if line[:1].islower()}
    assert list(rows) == list(ablation.PARTS)
    # Without a memory its parts are silent already.
    assert rows["no memory at all"] == rows["all"]
    assert rows["no kernel on structures"] != rows["all"]


def test_another_learner_is_refused(fold: Path) -> None:
    tiny = EncoderConfig(graph_layers=1, graph_width=8, hidden=16, dim=8)
    learner = ProtoNet(tiny, ProtoNetConfig())
    words = _words(fold, replace(tiny_checkpoint(), learner=learner))
    done = CliRunner().invoke(ablation.main, words)
    assert "deep kernel" in str(done.exception)


def test_assays_that_the_model_was_not_trained_on_are_refused(fold: Path) -> None:
    done = CliRunner().invoke(ablation.main, _words(fold, tiny_checkpoint()))
    assert "trained on other assays" in str(done.exception)
