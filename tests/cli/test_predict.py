"""`molmeta predict`: data on stdout, everything else on stderr, and each bad input in its place."""

import csv
import gzip
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from click.testing import Result
from molmeta_cli.console import TerminalTable

from molmeta.checkpoint import save_checkpoint
from molmeta.errors import CheckpointError
from molmeta.learners.memory import CompoundMemory
from tests.cli.conftest import Run
from tests.molecules import key_of
from tests.tiny_model import (
    ACTIVES,
    INACTIVES,
    LIKE_ACTIVES,
    LIKE_INACTIVES,
    SEEN,
    SUPPORT,
    UNLIKE_ALL,
    VALUES,
    tiny_checkpoint,
)

COLUMNS = [
    *("probability", "low", "high", "deviation", "similarity", "in_support", "known", "status"),
    "reason",
]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def rows_in(path: Path) -> list[dict[str, str]]:
    return rows_of(path.read_text())


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.csv"
    path.write_text(
        f"id,structure,1E5\n007,{LIKE_ACTIVES},NA\n,nonsense,\n1-Mar,{LIKE_INACTIVES},1e5\n"
    )
    return path


def test_smiles_on_the_command_line_give_csv_on_stdout(run: Run, assay: Path) -> None:
    result = run("predict", "--support", assay, "--smiles", LIKE_ACTIVES, "--smiles", "C1CC")
    assert result.exit_code == 0
    like, broken = rows_of(result.stdout)
    assert list(like) == ["smiles", *COLUMNS]
    assert 0.5 < float(like["probability"]) < 1
    assert (broken["probability"], broken["status"]) == ("", "parse_error")
    assert "2 rows: 1 ok, 1 parse_error." in result.stderr
    assert "No score for 1 row" in result.stderr


def test_every_row_of_a_file_keeps_its_place_and_its_cells(
    run: Run, assay: Path, library: Path
) -> None:
    result = run("predict", "--support", assay, "--input", library, "--output", "scores.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    out = rows_in(library.with_name("scores.csv"))
    assert [(r["id"], r["structure"], r["1E5"]) for r in out] == [
        (r["id"], r["structure"], r["1E5"]) for r in rows_in(library)
    ]
    assert [r["status"] for r in out] == ["ok", "not_smiles", "ok"]


def test_top_gives_the_best_with_their_rank(run: Run, assay: Path, library: Path) -> None:
    result = run("predict", "--support", assay, "--input", library, "--top", "1")
    (best,) = rows_of(result.stdout)
    assert (best["id"], best["rank"]) == ("007", "1")


def test_a_library_from_stdin_and_a_support_in_another_format(run: Run, assay: Path) -> None:
    packed = assay.with_name("assay.tsv.gz")
    packed.write_bytes(gzip.compress(assay.read_bytes().replace(b",", b"\t")))
    result = run("predict", "--support", packed, "--input", "-", stdin=f"{LIKE_ACTIVES} id7\nCCO\n")
    assert [row["status"] for row in rows_of(result.stdout)] == ["ok", "ok"]


def test_a_header_without_rows_gives_a_header_and_exit_0(run: Run, assay: Path) -> None:
    result = run("predict", "--support", assay, "--input", "-", stdin="smiles,id\n")
    assert result.exit_code == 0
    assert result.stdout == ",".join(["smiles", "id", *COLUMNS]) + "\n"


def test_columns_that_the_input_has_already_are_not_lost(run: Run, assay: Path) -> None:
    result = run("predict", "--support", assay, "--input", "-", stdin="smiles,status\nCCO,mine\n")
    (row,) = rows_of(result.stdout)
    assert (row["status"], row["molmeta_status"]) == ("mine", "ok")


def test_measured_values_and_the_direction_are_told(run: Run, tmp_path: Path) -> None:
    rows = [f"{s},{v}" for group, v in ((ACTIVES, "50"), (INACTIVES, ">10000")) for s in group]
    (tmp_path / "ic50.csv").write_text("\n".join(["smiles,IC50", *rows]))
    words = ["predict", "--support", "ic50.csv", "--smiles", LIKE_ACTIVES]
    refused = run(*words)
    assert refused.exit_code == 4
    assert "--threshold" in refused.stderr
    assert run(*words, "--threshold", "1000").exit_code == 2
    result = run(*words, "--threshold", "1000", "--active", "below", "--label-column", "IC50")
    assert result.exit_code == 0
    assert "active means a value <= 1000" in result.stderr
    assert float(rows_of(result.stdout)[0]["probability"]) > 0.5


def test_rows_of_the_support_that_are_left_out_are_told_with_the_reason(
    run: Run, assay: Path
) -> None:
    assay.write_text(assay.read_text() + "C1CC,1\nCCCl,\n")
    result = run("predict", "--support", assay, "--smiles", "CCO")
    assert "2 of 10 rows cannot be used" in result.stderr
    assert "parse_error (row 9" in result.stderr
    assert "label_error (row 10" in result.stderr
    assert "Support: 8 compounds, 4 active and 4 inactive." in result.stderr


@pytest.mark.parametrize("support", ["smiles,label\nCCO,1\n", "smiles,label\nCCO,0\nCCC,0\n"])
def test_one_class_exits_4(run: Run, tmp_path: Path, support: str) -> None:
    (tmp_path / "tiny.csv").write_text(support)
    result = run("predict", "--support", "tiny.csv", "--smiles", "CCO")
    assert (result.exit_code, result.stdout) == (4, "")


def test_one_active_ranks_by_similarity_when_tiny_is_allowed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text(f"smiles,label\n{ACTIVES[0]},1\n")
    words = ["--smiles", LIKE_INACTIVES, "--smiles", LIKE_ACTIVES, "--top", "2"]
    result = run("predict", "--support", "tiny.csv", "--allow-tiny", *words)
    assert result.exit_code == 0
    assert [row["smiles"] for row in rows_of(result.stdout)] == [LIKE_ACTIVES, LIKE_INACTIVES]
    assert [row["probability"] for row in rows_of(result.stdout)] == ["", ""]
    assert "no probability is given" in result.stderr


def test_what_meta_training_knew_is_told(run: Run, assay: Path) -> None:
    result = run("predict", "--support", assay, "--smiles", SEEN, "--smiles", "CCO")
    assert "Known: 1 of the 8 support compounds" in result.stderr
    assert "Known: 1 of the 2 molecules" in result.stderr
    assert [row["in_support"] for row in rows_of(result.stdout)] == ["true", ""]


def test_a_headless_library_in_latin_1_is_read_when_told(
    run: Run, assay: Path, tmp_path: Path
) -> None:
    (tmp_path / "old.csv").write_bytes(f"{LIKE_ACTIVES},caf\xe9\nCCO,th\xe9\n".encode("latin-1"))
    words = ["predict", "--support", assay, "--input", "old.csv"]
    assert run(*words).exit_code == 3
    result = run(*words, "--encoding", "latin-1", "--no-header")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.reader(result.stdout.splitlines()))
    assert [row[:2] for row in rows[1:]] == [[LIKE_ACTIVES, "café"], ["CCO", "thé"]]


def test_without_memory_a_known_compound_is_judged_by_its_structure_alone(
    run: Run, assay: Path, tmp_path: Path
) -> None:
    checkpoint = tiny_checkpoint()
    plain, remembering = tmp_path / "plain.molmeta", tmp_path / "remembering.molmeta"
    save_checkpoint(plain, checkpoint)
    checkpoint.learner.memory = CompoundMemory(
        keys=torch.tensor([key_of("CCO")]),
        offsets=torch.tensor([0, 1]),
        assays=torch.tensor([0], dtype=torch.int32),
        grades=torch.tensor([0.9], dtype=torch.float16),
        heights=torch.tensor([0.9], dtype=torch.float16),
    )
    save_checkpoint(remembering, checkpoint)

    def probability(*words: str | Path) -> float:
        result = run("predict", "--support", assay, "--smiles", "CCO", "--learner-model", *words)
        return float(rows_of(result.stdout)[0]["probability"])

    without = probability(plain)
    assert probability(remembering) > without + 0.01
    assert probability(remembering, "--no-memory") == without


def test_compounds_unlike_the_support_are_counted(run: Run, assay: Path) -> None:
    result = run("predict", "--support", assay, "--smiles", UNLIKE_ALL)
    assert rows_of(result.stdout)[0]["status"] == "warn_domain"
    assert "Unlike every support compound (warn_domain): 1 of 1" in result.stderr


def test_strict_exits_7_after_writing_everything(run: Run, assay: Path, library: Path) -> None:
    words = ["predict", "--support", assay, "--input", library, "--output", "scores.csv"]
    result = run(*words, "--strict")
    assert result.exit_code == 7
    assert len(rows_in(library.with_name("scores.csv"))) == 3
    assert run("predict", "--support", assay, "--smiles", "CCO", "--strict").exit_code == 0


def test_quiet_says_nothing_and_still_tells_errors(run: Run, assay: Path) -> None:
    assert run("predict", "--support", assay, "--smiles", "", "--quiet").stderr == ""
    assert run("predict", "--support", "no.csv", "--smiles", "C", "--quiet").stderr != ""


def test_the_summary_is_json_with_every_count(run: Run, assay: Path, library: Path) -> None:
    words = ["predict", "--support", assay, "--input", library, "--summary", "summary.json"]
    assert run(*words).exit_code == 0
    document = json.loads((library.with_name("summary.json")).read_text())
    assert document["by_status"] == {"ok": 2, "not_smiles": 1}
    assert (document["n_rows"], document["n_failed"], document["n_support"]) == (3, 1, 8)
    assert len(document["model_sha256"]) == 64
    assert run(*words).exit_code == 6
    assert run(*words, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--smiles", "C"],
        ["--support", "assay.csv"],
        ["--support", "assay.csv", "--smiles", "C", "--input", "library.csv"],
        ["--support", "assay.csv", "--model", "m.molmeta", "--smiles", "C"],
        ["--model", "m.molmeta", "--smiles", "C", "--label-column", "y"],
        ["--support", "-", "--input", "-"],
        ["--support", "assay.csv", "--smiles", "C", "--top", "0"],
        ["--support", "assay.csv", "--smiles", "C", "--threads", "-1"],
        ["--support", "assay.csv", "--smiles", "C", "--device", "tpu"],
        ["--support", "assay.csv", "--smiles", "C", "--active", "above"],
    ],
)
def test_flags_that_make_no_sense_exit_2_with_empty_stdout(
    run: Run, assay: Path, words: list[str]
) -> None:
    result = run("predict", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_cuda_without_a_gpu_exits_2(run: Run, assay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    words = ["predict", "--support", assay, "--smiles", "CCO", "--device"]
    assert run(*words, "cuda").exit_code == 2
    assert run(*words, "auto").exit_code == 0


def test_an_input_that_cannot_be_used_exits_3(run: Run, assay: Path, library: Path) -> None:
    def code(path: str | Path, *words: str) -> int:
        return run("predict", "--support", assay, "--input", path, *words).exit_code

    assert code("missing.csv") == 3
    assert code(library.parent) == 3
    assert code(library, "--smiles-column", "SMILES") == 3


def test_a_model_that_cannot_be_used_exits_5(run: Run, assay: Path, learner: Path) -> None:
    assay.with_name("page.molmeta").write_text("<html>not found</html>")
    assert run("predict", "--model", "page.molmeta", "--smiles", "C").exit_code == 5
    without_support = run("predict", "--model", learner, "--smiles", "C")
    assert without_support.exit_code == 5
    assert "--support" in without_support.stderr


def test_without_a_shipped_model_another_can_be_named(
    run: Run, assay: Path, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise CheckpointError("there is none")

    monkeypatch.setattr("molmeta.checkpoint.shipped_model_path", missing)
    words = ["predict", "--support", assay, "--smiles", "CCO"]
    assert run(*words).exit_code == 5
    assert run(*words, "--learner-model", learner).exit_code == 0


def test_an_output_that_cannot_be_written_exits_6_and_harms_nothing(
    run: Run, assay: Path, library: Path
) -> None:
    def write(path: str | Path, *words: str) -> Result:
        return run("predict", "--support", assay, "--input", library, "--output", path, *words)

    before = library.read_bytes()
    for path, words in (
        (library, ["--overwrite"]),
        (assay, ["--overwrite"]),
        ("nowhere/scores.csv", []),
        (library.parent, []),
        (library, []),
    ):
        assert write(path, *words).exit_code == 6
    assert library.read_bytes() == before
    assert write("new.csv").exit_code == 0
    assert write("new.csv").exit_code == 6
    assert write("new.csv", "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", ["with space.csv", "ünïcode Ω.csv", "-.csv", "n" * 251 + ".csv"])
def test_files_of_any_name_are_read_and_written(
    run: Run, assay: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text("smiles\nCCO\n")
    result = run("predict", "--support", assay, "--input", f"in/{name}", "--output", f"./{name}")
    assert result.exit_code == 0, result.stderr
    assert len(rows_in(tmp_path / name)) == 1


def test_parquet_holds_the_scores_as_numbers(run: Run, assay: Path, library: Path) -> None:
    from pyarrow import parquet

    words = ["predict", "--support", assay, "--input", library, "--output", "scores.parquet"]
    assert run(*words).exit_code == 0
    columns = parquet.read_table(library.with_name("scores.parquet")).to_pydict()
    assert columns["probability"][1] is None
    assert columns["probability"][0] > 0.5
    assert columns["id"] == ["007", "", "1-Mar"]


def test_sdf_and_smi_hold_the_column_that_was_named(run: Run, assay: Path, library: Path) -> None:
    from molmeta.assays.tables import open_table

    for name in ("scores.sdf", "scores.smi.zst"):
        words = ["predict", "--support", assay, "--input", library, "--output", name]
        assert run(*words, "--smiles-column", "structure").exit_code == 0
        with open_table(library.with_name(name)) as table:
            rows = list(table)
        found = [row.smiles for row in rows]
        # What was refused is an empty structure, and is written as it was where there is none.
        kept = "" if name == "scores.sdf" else "nonsense"
        assert found == [LIKE_ACTIVES, kept, LIKE_INACTIVES]
        assert ["007" in cells.cells[1] for cells in rows] == [True, False, False]


def test_formulas_are_escaped_on_request(run: Run, assay: Path) -> None:
    words = ["predict", "--support", assay, "--smiles", "=cmd|' /C calc'!A0"]
    plain, escaped = (rows_of(run(*words, *more).stdout)[0] for more in ([], ["--escape-formulas"]))
    assert escaped["smiles"] == f"'{plain['smiles']}" == "'=cmd|' /C calc'!A0"
    assert escaped["status"] == plain["status"]


def test_a_terminal_gets_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    table = TerminalTable(["smiles", "status"])
    table.write(["CCO", "ok"])
    table.write(["C" * 60, "ok\x1b[2J"])
    table.finish()
    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "smiles" + " " * 44 + "status"
    assert first == "CCO" + " " * 47 + "ok"
    assert second == "C" * 45 + "...  ok\\x1b[2J"


def test_a_long_table_is_printed_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    table = TerminalTable(["n"])
    for n in range(300):
        table.write([str(n)])
    assert len(capsys.readouterr().out.splitlines()) == 301
    table.finish()
    assert capsys.readouterr().out == ""


def test_stdout_that_is_a_terminal_shows_the_table(
    run: Run, assay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molmeta_cli.console._is_terminal", lambda: True)
    result = run("predict", "--support", assay, "--smiles", LIKE_ACTIVES)
    header, row = result.stdout.splitlines()
    assert "," not in header
    assert header.index("probability") == row.index("0.")


def test_the_locale_changes_no_byte(
    run: Run, assay: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["predict", "--support", assay, "--input", library]
    plain = run(*words).stdout_bytes
    for name in ("LC_ALL", "LANG"):
        monkeypatch.setenv(name, "de_DE.UTF-8")
    assert run(*words).stdout_bytes == plain
    assert b"\r" not in plain or sys.platform == "win32"


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """The support of tests/tiny_model.py with its values."""
    path = tmp_path / "measured.csv"
    rows = [f"{smiles},{value}" for smiles, value in zip(SUPPORT, VALUES, strict=True)]
    path.write_text("\n".join(["smiles,IC50", *rows]) + "\n")
    return path


def test_values_are_predicted_with_their_interval(run: Run, measured: Path) -> None:
    words = ("--values", "--smiles", LIKE_INACTIVES, "--smiles", LIKE_ACTIVES, "--smiles", "C1CC")
    result = run("predict", "--support", measured, *words)
    assert result.exit_code == 0
    unlike, like, broken = rows_of(result.stdout)
    assert list(like) == ["smiles", "value", *COLUMNS[1:]]
    assert float(like["low"]) < float(like["value"]) < float(like["high"])
    assert float(like["value"]) > float(unlike["value"])
    assert (broken["value"], broken["low"], broken["status"]) == ("", "", "parse_error")
    assert "6 measured and 2 with a bound only" in result.stderr
    assert "6 is 1 uM" in result.stderr
    best = run("predict", "--support", measured, *words, "--top", "1")
    assert [row["smiles"] for row in rows_of(best.stdout)] == [LIKE_ACTIVES]


def test_an_adapted_model_of_values_predicts_values(run: Run, measured: Path) -> None:
    assert run("adapt", "--support", measured, "--values", "--output", "t.molmeta").exit_code == 0
    direct = run("predict", "--support", measured, "--values", "--smiles", LIKE_ACTIVES)
    stored = run("predict", "--model", "t.molmeta", "--smiles", LIKE_ACTIVES)
    assert stored.exit_code == 0
    assert stored.stdout == direct.stdout


@pytest.mark.parametrize(
    ("column", "cells", "code", "said"),
    [
        ("IC50", ["5", "70", "900"], 4, "concentrations without a unit"),
        ("pIC50", ["5", "5", "5"], 4, "have the same value"),
        ("pIC50", ["5", ">5", "<5"], 4, "Only 1 of the 3 support compounds has a measured value"),
        ("pIC50", ["5", "active", "x"], 4, "Only 1 of the 1 support compounds"),
        ("IC50 (nM)", ["5", "3 %", "70"], 4, "values mix"),
    ],
)
def test_values_that_cannot_be_learned_from_are_refused(
    run: Run, tmp_path: Path, column: str, cells: list[str], code: int, said: str
) -> None:
    path = tmp_path / "bad.csv"
    rows = [f"{smiles},{cell}" for smiles, cell in zip(SUPPORT, cells, strict=False)]
    path.write_text("\n".join([f"smiles,{column}", *rows]) + "\n")
    result = run("predict", "--support", path, "--values", "--smiles", LIKE_ACTIVES)
    assert result.exit_code == code
    assert said in result.stderr


def test_values_and_a_threshold_exclude_each_other(run: Run, measured: Path) -> None:
    flags = ("--values", "--threshold", "1 uM", "--active", "below", "--smiles", LIKE_ACTIVES)
    result = run("predict", "--support", measured, *flags)
    assert result.exit_code == 2
    assert "leave --threshold" in result.stderr


def test_abstaining_withholds_doubtful_answers_and_is_no_failure(run: Run, assay: Path) -> None:
    words = ("--smiles", LIKE_ACTIVES, "--smiles", UNLIKE_ALL, "--abstain", "--strict")
    result = run("predict", "--support", assay, *words)
    assert result.exit_code == 0
    like, far = rows_of(result.stdout)
    assert like["probability"]
    assert (far["probability"], far["low"], far["deviation"]) == ("", "", "")
    assert far["status"] == "abstained"
    assert "similarity 0.0" in far["reason"]
    assert "1 abstained" in result.stderr


def test_the_account_lies_beside_the_output_and_names_the_model(
    run: Run, assay: Path, library: Path
) -> None:
    words = ["predict", "--support", assay, "--input", library]
    assert run(*words, "--output", "a.csv").exit_code == 0
    assert run(*words, "--output", "b.csv").exit_code == 0
    text = library.with_name("a.csv.json").read_text()
    assert library.with_name("b.csv.json").read_text() == text
    assert str(library.parent) not in text
    document = json.loads(text)
    assert document["input"] == library.name
    assert document["by_status"] == {"not_smiles": 1, "ok": 2}
    assert document["trained_on"]["licence"] == "none"
    assert document["trained_on"]["seed"] == 0
    assert {"molmeta", "torch", "rdkit", "support_sha256", "device"} <= set(document)
    assert len(document["model_sha256"]) == 64
    other = run(*words, "--output", "c.csv", "--top", "1", "--summary", "elsewhere.json")
    assert other.exit_code == 0
    assert not library.with_name("c.csv.json").exists()
    assert json.loads(library.with_name("elsewhere.json").read_text())["top"] == 1


def test_the_account_replaces_no_file_of_the_user(run: Run, assay: Path, library: Path) -> None:
    notes = library.with_name("a.csv.json")
    words = ["predict", "--support", assay, "--input", library, "--output", "a.csv"]
    for precious in ("notes", '{"notes": 1}', "[1]", "5"):
        notes.write_text(precious)
        result = run(*words)
        assert result.exit_code == 6
        assert "put the account elsewhere with --summary" in result.stderr
        assert notes.read_text() == precious
        assert not library.with_name("a.csv").exists()
    assert run(*words, "--summary", library, "--overwrite").exit_code == 6
    notes.write_text('{"model_sha256": "left by a killed run"}')
    assert run(*words).exit_code == 0
    assert json.loads(notes.read_text())["n_rows"] == 3


def test_worker_processes_write_the_same_bytes(run: Run, assay: Path, library: Path) -> None:
    library.write_text(library.read_text() + f"9,{LIKE_ACTIVES},x,surplus\n8,CCBr,x\n" * 1500)
    words = ["predict", "--support", assay, "--input", library, "--output"]
    assert run(*words, "one.csv").exit_code == 0
    assert run(*words, "two.csv", "--workers", "2").exit_code == 0
    for end in ("", ".json"):
        one, two = (library.with_name(f"{name}.csv{end}") for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    assert len(rows_in(library.with_name("two.csv"))) == 3003
    assert run(*words, "three.csv", "--timeout", "5").exit_code == 2


def test_a_stopped_run_says_that_it_can_go_on(run: Run, assay: Path, library: Path) -> None:
    library.write_text("smiles\n" + f"{LIKE_ACTIVES}\n{LIKE_INACTIVES}\n" * 7000 + '"')
    words = ["predict", "--support", assay, "--input", library, "--output", "scores.csv"]
    stopped = run(*words)
    assert stopped.exit_code == 3
    assert "The same command goes on from here" in stopped.stderr
    assert not library.with_name("scores.csv").exists()
    library.write_text(library.read_text().rstrip('"'))
    finished = run(*words)
    assert finished.exit_code == 0
    assert "going on where it was" in finished.stderr
    assert len(rows_in(library.with_name("scores.csv"))) == 14_000
    assert {path.name for path in library.parent.iterdir()} == {
        *("assay.csv", "library.csv", "scores.csv", "scores.csv.json")
    }


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_holds_is_not(
    run: Run, assay: Path, library: Path
) -> None:
    from molmeta.whole_file import hidden_beside, take_lock

    output = library.with_name("scores.csv")
    dead, living = (hidden_beside(output, f"-{name}") for name in ("dead", "living"))
    foreign = library.with_name(".molmeta-other")
    for folder in (dead, living, foreign):
        folder.mkdir()
        (folder / "scores.csv").write_text("half a ro")
    words = ["predict", "--support", assay, "--input", library, "--output", output]
    held = os.open(living, os.O_RDONLY)
    assert take_lock(held)
    assert run(*words).exit_code == 0
    os.close(held)
    assert [path.exists() for path in (dead, living, foreign)] == [False, True, True]


def test_a_terminal_is_told_the_rate_and_the_time_left(
    run: Run, assay: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write_text("smiles\n" + "CCO\nCCN\n" * 4000)
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    words = ["predict", "--support", assay, "--input", library, "--output"]
    result = run(*words, "scores.csv")
    assert result.exit_code == 0
    assert "100%" in result.stderr
    assert "8.00k/8.00k" in result.stderr
    assert "compounds/s" in result.stderr
    assert "100%" not in run(*words, "more.csv", "--quiet").stderr
