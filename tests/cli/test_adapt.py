"""`molmeta adapt` writes a model that predicts as its support set would."""

import csv
from pathlib import Path

import pytest

from molmeta.target import TargetModel
from tests.cli.conftest import Run
from tests.tiny_model import ACTIVES, LIKE_ACTIVES, LIKE_INACTIVES, SUPPORT


def test_an_adapted_model_predicts_what_its_support_file_predicts(run: Run, assay: Path) -> None:
    adapted = run("adapt", "--support", assay, "--output", "target.molmeta")
    assert (adapted.exit_code, adapted.stdout) == (0, "target.molmeta\n")
    query = ["--smiles", LIKE_ACTIVES, "--smiles", LIKE_INACTIVES]
    at_once = run("predict", "--support", assay, *query)
    later = run("predict", "--model", "target.molmeta", *query)
    assert later.exit_code == 0
    assert later.stdout == at_once.stdout
    assert len(list(csv.DictReader(later.stdout.splitlines()))) == 2


def test_the_file_holds_the_support(run: Run, assay: Path, tmp_path: Path) -> None:
    run("adapt", "--support", assay, "--output", "target.molmeta")
    target = TargetModel.load(tmp_path / "target.molmeta")
    assert len(target.checkpoint.support_smiles) == len(SUPPORT)
    assert target.n_active == len(ACTIVES)


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(
    run: Run, assay: Path, tmp_path: Path
) -> None:
    output = tmp_path / "target.molmeta"
    output.write_text("mine")
    refused = run("adapt", "--support", assay, "--output", output)
    assert refused.exit_code == 6
    assert output.read_text() == "mine"
    assert run("adapt", "--support", assay, "--output", output, "--overwrite").exit_code == 0
    assert TargetModel.load(output).n_active == len(ACTIVES)


def test_the_support_file_is_never_overwritten(run: Run, assay: Path) -> None:
    before = assay.read_bytes()
    result = run("adapt", "--support", assay, "--output", assay, "--overwrite")
    assert result.exit_code == 6
    assert assay.read_bytes() == before


def test_a_support_of_one_class_writes_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "actives.csv").write_text("smiles,label\n" + "".join(f"{s},1\n" for s in ACTIVES))
    result = run("adapt", "--support", "actives.csv", "--output", "target.molmeta")
    assert result.exit_code == 4
    assert not (tmp_path / "target.molmeta").exists()


def test_a_missing_support_flag_or_folder_is_told(run: Run, assay: Path) -> None:
    assert run("adapt", "--output", "target.molmeta").exit_code == 2
    result = run("adapt", "--support", assay, "--output", "nowhere/target.molmeta")
    assert result.exit_code == 6
    assert "nowhere" in result.stderr


@pytest.mark.parametrize("words", [["--values"], ["--label-column", "label"], ["--allow-tiny"]])
def test_what_says_how_to_read_a_support_is_refused_beside_an_adapted_model(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    result = run("predict", "--model", tmp_path / "any.molmeta", "--smiles", "CCO", *words)
    assert result.exit_code == 2
    assert f"{words[0]} goes with --support" in result.stderr
