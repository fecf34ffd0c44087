"""`molmeta score`: one line of strict JSON a batch, one finite number a line, in order."""

import json
import select
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from molmeta.checkpoint import save_checkpoint
from molmeta.target import TargetModel
from tests.cli.conftest import Run
from tests.tiny_model import ACTIVES, LIKE_ACTIVES, LIKE_INACTIVES, tiny_checkpoint

WRONG = ["", "C1CC", "[Na+].[Cl-]", "aspirin", "*CC", "NaN", "C" * 2000]


@pytest.fixture
def target(run: Run, assay: Path) -> Path:
    assert run("adapt", "--support", assay, "--output", "t.molmeta").exit_code == 0
    return assay.with_name("t.molmeta")


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def predictions(text: str) -> list[float]:
    document = json.loads(text, parse_constant=refuse)
    assert set(document) == {"version", "payload"}
    assert document["version"] == 1
    scores: Any = document["payload"]["predictions"]
    assert all(type(score) is float for score in scores)
    return list(scores)


def score(run: Run, target: Path, stdin: str | bytes) -> Result:
    result = run("score", "--model", target, "--protocol", "reinvent", stdin=stdin)
    assert result.exit_code == 0
    return result


def test_every_line_has_its_score_in_its_place(run: Run, target: Path) -> None:
    smiles = [LIKE_ACTIVES, *WRONG, LIKE_INACTIVES, LIKE_ACTIVES]
    # As REINVENT 4 sends it: no line end after the last.
    found = predictions(score(run, target, "\n".join(smiles)).stdout)
    like, unlike = TargetModel.load(target).score([LIKE_ACTIVES, LIKE_INACTIVES])
    assert found == [like.probability, *[0.0] * len(WRONG), unlike.probability, like.probability]
    assert found[0] > 0.5


@pytest.mark.parametrize("stdin", ["CCO\nCCN\n", "CCO\r\nCCN\r\n", "CCO\nCCN"])
def test_the_line_ends_do_not_matter(run: Run, target: Path, stdin: str) -> None:
    assert len(predictions(score(run, target, stdin).stdout)) == 2


def test_no_line_gives_no_score_and_an_empty_line_gives_one(run: Run, target: Path) -> None:
    assert predictions(score(run, target, "").stdout) == []
    assert predictions(score(run, target, "\n").stdout) == [0.0]


def test_bytes_that_are_no_text_score_nothing(run: Run, target: Path) -> None:
    found = predictions(score(run, target, b"CCO\nC\xff\nC\0C\n\xe2\x80\xa8\nCCN\n").stdout)
    assert found[0] > 0
    assert found[1:4] == [0.0, 0.0, 0.0]
    assert found[4] > 0


def test_batches_are_answered_one_by_one_while_the_input_stays_open(
    target: Path, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    with start("score", "--model", target, "--quiet") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for size in (2, 0, 3):
            process.stdin.write(b"CCO\n" * size + b"\f\n")
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 120)[0]
            assert len(predictions(process.stdout.readline().decode())) == size
        process.stdin.close()
        # The input ended with a batch: nothing is left to answer.
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
        assert process.wait(60) == 0


def test_actives_alone_score_by_similarity(run: Run, target: Path, tmp_path: Path) -> None:
    from molmeta.assays.support import build_support
    from molmeta.target import adapt_target

    support = build_support(ACTIVES, [1] * len(ACTIVES), allow_tiny=True)
    adapt_target(tiny_checkpoint(), support).save(tmp_path / "actives.molmeta")
    found = predictions(score(run, tmp_path / "actives.molmeta", f"{ACTIVES[0]}\nxx\n").stdout)
    assert found == [1.0, 0.0]


def test_a_model_without_a_target_exits_5_with_empty_stdout(run: Run, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "learner.molmeta", tiny_checkpoint())
    result = run("score", "--model", "learner.molmeta", stdin="CCO\n")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "--support" in result.stderr
    assert run("score", "--model", "learner.molmeta", "--protocol", "none").exit_code == 2
    assert run("score", stdin="CCO\n").exit_code == 2
