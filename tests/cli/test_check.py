"""`molmeta check` says whether to use the model, for people and for programs."""

import json
from pathlib import Path

import pytest

import molmeta.evaluation.check
from tests.cli.conftest import Run
from tests.tiny_model import ACTIVES, LABELS


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molmeta.evaluation.check, "TREES", 5)


def test_a_person_sees_the_methods_and_a_verdict(run: Run, assay: Path) -> None:
    result = run("check", "--support", assay)
    assert result.exit_code == 0
    header, *rows = result.stdout.split("\n\n")[0].splitlines()
    assert header.split("  ")[0] == "method"
    assert [row.split("  ")[0] for row in rows] == [
        *("this model", "nearest neighbours", "random forest", "Tanimoto GP"),
    ]
    assert "Verdict: " in result.stdout
    assert "1 of your 8 compounds (12%) occur in the public assays" in result.stdout
    assert "8 compounds, 4 active and 4 inactive" in result.stderr


def test_a_program_gets_json_alone(run: Run, assay: Path) -> None:
    result = run("check", "--support", assay, "--json", "--quiet")
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert found["verdict"] in ("use it", "no better than similarity search", "do not use")
    assert found["n_active"] + found["n_inactive"] == len(LABELS)
    for one in found["methods"]:
        auc = one["roc_auc"]
        assert 0 <= auc["low"] <= auc["value"] <= auc["high"] <= 1


def test_what_cannot_be_checked_is_told(run: Run, assay: Path, tmp_path: Path) -> None:
    assert run("check").exit_code == 2
    refused = run("check", "--support", assay, "--values")
    assert refused.exit_code == 2
    assert "--threshold" in refused.stderr
    rows = "".join(f"{smiles},1\n" for smiles in ACTIVES)
    (tmp_path / "lone.csv").write_text(f"smiles,label\n{rows}CCCCCC,0\n")
    lone = run("check", "--support", "lone.csv")
    assert lone.exit_code == 4
    assert "1 of the 5 support compounds is inactive" in lone.stderr
