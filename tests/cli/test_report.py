"""`molmeta report` writes a page, the tables beside it, and ends with the documented codes."""

import csv
import json
from pathlib import Path

import pytest

import molmeta.evaluation.check
from tests.cli.conftest import Run
from tests.report.parsed_page import ParsedPage
from tests.tiny_model import LIKE_ACTIVES, LIKE_INACTIVES


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molmeta.evaluation.check, "TREES", 5)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.csv"
    path.write_text(f"id,smiles\n=1+1,{LIKE_ACTIVES}\nb,C1CC\nc,{LIKE_INACTIVES}\n")
    return path


def test_a_support_and_a_library_become_a_page_with_tables_beside_it(
    run: Run, assay: Path, library: Path
) -> None:
    result = run(
        *("report", "--support", assay, "--input", library, "--output", "page.html"),
        *("--table", "all.csv", "--table", "all.sdf", "--escape-formulas"),
        *("--data-report", "data.json"),
    )
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "page.html" in result.stderr
    page = ParsedPage(Path("page.html").read_text(encoding="utf-8"))
    assert len(page.ranked) == 2
    assert "assay: 2 compounds ranked" in page.words
    assert "ring closure 1 opened" in page.words
    with Path("all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["'=1+1", "b", "c"]
    assert Path("all.sdf").read_text().count("$$$$") == 3
    for row in rows:
        if row["probability"]:
            assert f"{float(row['probability']):.2f}" in page.words
    document = json.loads(Path("data.json").read_text())
    assert document["support"]["n_rows"] == 8
    assert document["library"]["without_score"][0]["row"] == 2


def test_an_adapted_model_and_single_compounds_become_a_page(run: Run, assay: Path) -> None:
    assert run("adapt", "--support", assay, "--output", "t.molmeta").exit_code == 0
    result = run(
        *("report", "--model", "t.molmeta", "--smiles", LIKE_ACTIVES, "--output", "page.html"),
        *("--title", "My <target>"),
    )
    assert result.exit_code == 0
    page = ParsedPage(Path("page.html").read_text(encoding="utf-8"))
    assert "My <target>: 1 compound ranked" in page.words
    assert "molmeta adapt --data-report" in page.words


def test_every_command_with_a_support_writes_a_data_report(run: Run, assay: Path) -> None:
    for name, words in {
        "predict": ("--smiles", LIKE_ACTIVES),
        "adapt": ("--output", "t.molmeta"),
        "check": (),
    }.items():
        result = run(name, "--support", assay, *words, "--data-report", f"{name}.json")
        assert result.exit_code == 0
        document = json.loads(Path(f"{name}.json").read_text())
        assert [row["status"] for row in document["support"]["rows"]] == ["ok"] * 8


def test_a_data_report_does_not_replace_another_file(run: Run, assay: Path) -> None:
    Path("mine.json").write_text("{}")
    words = ("predict", "--support", assay, "--smiles", "CCO", "--data-report", "mine.json")
    result = run(*words)
    assert result.exit_code == 6
    assert "no data report" in result.stderr
    assert Path("mine.json").read_text() == "{}"


def test_what_cannot_be_shown_ends_with_its_code_and_leaves_nothing(
    run: Run, assay: Path, library: Path, tmp_path: Path
) -> None:
    call = ("report", "--support", assay, "--input", library)
    assert run(*call).exit_code == 2  # no output
    assert run("report", "--support", assay, "--output", "page.html").exit_code == 2
    assert run("report", "--input", library, "--output", "page.html").exit_code == 2
    missing = run("report", "--support", assay, "--input", "no.csv", "--output", "page.html")
    assert missing.exit_code == 3
    Path("one.csv").write_text("smiles,label\nCCO,1\n")
    one = run("report", "--support", "one.csv", "--input", library, "--output", "page.html")
    assert one.exit_code == 4
    forged = run("report", "--model", library, "--input", library, "--output", "page.html")
    assert forged.exit_code == 5
    assert run(*call, "--output", "no/page.html").exit_code == 6
    assert run(*call, "--output", library).exit_code == 6
    assert not Path("page.html").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".molmeta")]


def test_a_table_that_cannot_be_written_leaves_no_page(
    run: Run, assay: Path, library: Path
) -> None:
    result = run(
        *("report", "--support", assay, "--input", library, "--output", "page.html"),
        *("--table", "all.docx"),
    )
    assert result.exit_code == 6
    assert not Path("page.html").exists()


def test_an_existing_page_is_replaced_only_when_asked(run: Run, assay: Path, library: Path) -> None:
    Path("page.html").write_text("mine")
    call = ("report", "--support", assay, "--input", library, "--output", "page.html")
    refused = run(*call)
    assert refused.exit_code == 6
    assert Path("page.html").read_text() == "mine"
    assert run(*call, "--overwrite").exit_code == 0
    assert "<h1>" in Path("page.html").read_text(encoding="utf-8")
