"""`molmeta index`, and `molmeta predict --index` with what it made."""

import csv
import json
from pathlib import Path

import pytest

from molmeta.checkpoint import save_checkpoint
from tests.cli.conftest import Run
from tests.molecules import MOLECULES
from tests.tiny_model import tiny_checkpoint


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "smiles", "rank"])
        writer.writerows([f"c{i}", text, i] for i, text in enumerate(MOLECULES[:50]))
        writer.writerow(["bad", "no molecule", 0])
    return path


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_the_best_of_an_index_are_those_of_the_library(
    run: Run, library: Path, assay: Path
) -> None:
    made = run("index", library, "--output", "library.index")
    assert (made.exit_code, made.stdout) == (0, "library.index\n")
    assert "51 rows, 1 of them no molecules." in made.stderr
    assert "library.index/rejected.csv" in made.stderr
    flags = ("predict", "--support", assay, "--top", 10)
    expected = run(*flags, "--input", library)
    found = run(*flags, "--index", "library.index")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[0] == expected.stdout.splitlines()[0]
    for row, wanted in zip(_rows(found.stdout), _rows(expected.stdout), strict=True):
        for name in ("id", "smiles", "rank", "molmeta_rank", "status", "reason", "similarity"):
            assert row[name] == wanted[name]
        for name in ("probability", "low", "high", "deviation"):
            assert float(row[name]) == pytest.approx(float(wanted[name]), abs=2e-3)
    assert found.stderr == expected.stderr


def test_without_top_the_best_thousand_come_out(run: Run, library: Path, assay: Path) -> None:
    run("index", library, "--output", "library.index")
    found = run("predict", "--support", assay, "--index", "library.index", "--output", "best.csv")
    assert found.exit_code == 0
    assert len(_rows(Path("best.csv").read_text())) == 50
    account = json.loads(Path("best.csv.json").read_text())
    assert (account["input"], account["top"]) == ("library.index", 1000)
    assert (account["n_rows"], account["n_failed"]) == (51, 1)


def test_more_rows_can_be_appended(run: Run, library: Path, assay: Path) -> None:
    run("index", library, "--output", "library.index")
    again = run("index", library, "--output", "library.index")
    assert again.exit_code == 6
    assert "append rows to it" in again.stderr
    more = library.with_name("more.csv")
    more.write_text("id,smiles,rank\nnew,CC(=O)Nc1ccc(Br)cc1,0\n")
    added = run("index", more, "--output", "library.index", "--append")
    assert (added.exit_code, "52 rows" in added.stderr) == (0, True)
    found = run("predict", "--support", assay, "--index", "library.index")
    assert "new" in {row["id"] for row in _rows(found.stdout)}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--index", "x.index", "--smiles", "CCO"), "one of the three"),
        (("--index", "x.index", "--workers", 2), "--threads"),
        (("--index", "x.index", "--abstain"), "--abstain"),
        (("--index", "x.index", "--device", "cuda"), "CPU"),
    ],
)
def test_flags_that_an_index_cannot_follow_are_refused(
    words: tuple[str | int, ...], why: str, run: Run, assay: Path
) -> None:
    result = run("predict", "--support", assay, *map(str, words))
    assert result.exit_code == 2
    assert why in result.stderr


def test_what_is_no_index_is_an_input_error(run: Run, assay: Path) -> None:
    result = run("predict", "--support", assay, "--index", "none.index")
    assert result.exit_code == 3
    assert "make one with molmeta index" in result.stderr


def test_an_index_of_another_model_is_an_input_error(
    run: Run, library: Path, assay: Path, tmp_path: Path
) -> None:
    other = tiny_checkpoint("protonet")
    for weight in other.learner.parameters():
        weight.data.add_(0.01)
    save_checkpoint(tmp_path / "other.molmeta", other)
    run("index", library, "--output", "library.index", "--model", tmp_path / "other.molmeta")
    result = run("predict", "--support", assay, "--index", "library.index")
    assert result.exit_code == 3
    assert "encoder of another model" in result.stderr


def test_a_method_without_a_lasting_embedding_makes_no_index(
    run: Run, library: Path, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "maml.molmeta", tiny_checkpoint("maml"))
    result = run("index", library, "--output", "x.index", "--model", tmp_path / "maml.molmeta")
    assert result.exit_code == 2
    assert "MAML cannot use an index" in result.stderr
    assert not Path("x.index").exists()


def test_several_processes_make_the_same_index(run: Run, library: Path) -> None:
    assert run("index", library, "--output", "one.index", "--timeout", 5).exit_code == 2
    flags = ("--workers", 2, "--timeout", 60, "--quiet")
    assert run("index", library, "--output", "one.index", "--quiet").exit_code == 0
    assert run("index", library, "--output", "two.index", *flags).exit_code == 0
    one, two = (
        {path.name: path.read_bytes() for path in Path(name).iterdir()}
        for name in ("one.index", "two.index")
    )
    assert one == two
