"""`python -m benchmarks.ablation`: a row for each part, and a part that is off has no effect."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks import ablation
from molmeta.checkpoint import save_checkpoint
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig
from tests.molecules import DRUGS
from tests.tiny_model import tiny_checkpoint


@pytest.fixture
def fold(tmp_path: Path) -> Path:
    """An assay of ninety drugs; those with fluorine or a hydroxyl in a branch are active."""
    rows = [{"assay_id": "A", "smiles": s, "label": int("F" in s or "O)" in s)} for s in DRUGS[:90]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "fold.parquet")
    return tmp_path / "fold.parquet"


def test_each_part_has_a_row_and_only_parts_that_speak_change_it(
    fold: Path,
) -> None:
    checkpoint = tiny_checkpoint()
    assert isinstance(checkpoint.learner, DeepKernel)
    checkpoint.learner.memory = None
    save_checkpoint(fold.with_name("tiny.molmeta"), checkpoint)
    words = ["--assays", fold, "--model", fold.with_name("tiny.molmeta"), "--steps", 1, "--runs", 1]
    done = CliRunner().invoke(ablation.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    rows = {line[:24].strip(): line[24:] for line in done.output.splitlines() if line[:1].islower()}
    assert list(rows) == list(ablation.PARTS)
    # Without a memory its parts are silent already.
    assert rows["no memory at all"] == rows["all"]
    assert rows["no kernel on structures"] != rows["all"]


def test_another_learner_is_refused(fold: Path) -> None:
    tiny = EncoderConfig(graph_layers=1, graph_width=8, hidden=16, dim=8)
    learner = ProtoNet(tiny, ProtoNetConfig())
    save_checkpoint(fold.with_name("p.molmeta"), replace(tiny_checkpoint(), learner=learner))
    words = ["--assays", str(fold), "--model", str(fold.with_name("p.molmeta"))]
    done = CliRunner().invoke(ablation.main, words)
    assert "deep kernel" in str(done.exception)
