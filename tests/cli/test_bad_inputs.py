"""The 186 cases of bad input, each a row of a table in tests/bad_inputs, through the command."""

import csv
import io
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from molmeta.assays.tables import Row
from molmeta.screening import appended_columns, screen
from molmeta.target import TargetModel, adapt_target
from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoints import CHECKPOINTS, Spoiled
from tests.bad_inputs.elsewhere import HELD_BY, OPEN
from tests.bad_inputs.files import FILES
from tests.bad_inputs.smiles import ACCEPTED, REFUSED
from tests.bad_inputs.supports import SUPPORTS
from tests.cli.conftest import ROOT, Run
from tests.tiny_model import support_set, tiny_checkpoint

N_CASES = {"A": 75, "B": 35, "C": 27, "D": 16, "E": 21, "F": 12}
SCORED = ("ok", "ok_changed", "warn_domain")
TEXTS: list[tuple[str, Any, str, str]] = [
    *((case, text, status, words) for case, text, _, status, words in ACCEPTED),
    *REFUSED,
]


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


@pytest.fixture(scope="module")
def target_file(target: TargetModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("target") / "target.molmeta"
    target.save(path)
    return path


@pytest.fixture(scope="module")
def screened(target: TargetModel) -> list[dict[str, str]]:
    """All texts of A as one library: the rows that come out."""

    class Held:
        def __init__(self) -> None:
            self.rows: list[dict[str, str]] = []

        def write(self, cells: Any) -> None:
            names = ("smiles", *appended_columns(["smiles"], ranked=False))
            self.rows.append(dict(zip(names, cells, strict=True)))

    held = Held()
    texts = [text for _, text, _, _ in TEXTS]
    rows = [Row(n, text, (str(n),), None, n) for n, text in enumerate(texts, start=1)]
    summary = screen(target, rows, held, chunk_size=50)
    assert summary.n_rows == len(texts)
    return held.rows


@pytest.mark.parametrize("place", range(len(TEXTS)), ids=lambda place: TEXTS[place][0])
def test_a_text_gives_its_row_in_its_place(screened: list[dict[str, str]], place: int) -> None:
    _, _, status, words = TEXTS[place]
    row = screened[place]
    assert row["smiles"] == str(place + 1)
    assert words in row["reason"]
    # Few of these are like the support.
    assert row["status"] in ((status, "warn_domain") if status in SCORED else (status,))
    assert bool(row["probability"]) is (status in SCORED)
    assert "nan" not in row["probability"].lower()


@pytest.mark.parametrize("case", FILES, ids=str)
def test_a_library_gives_its_rows_or_a_sentence(
    run: Run, target_file: Path, tmp_path: Path, case: Case
) -> None:
    content = case.content.encode() if isinstance(case.content, str) else case.content
    if content is not None and case.name != "-":
        (tmp_path / case.name).write_bytes(content)
    words = ["predict", "--model", target_file, "--input", case.name, "--output", "out.csv"]
    result = run(*words, *case.words, stdin=content if case.name == "-" else None)
    assert (result.exit_code, result.stdout) == (case.code, ""), result.stderr
    assert "Traceback" not in result.stderr
    if case.code:
        assert result.stderr.startswith("Error: ") or "\nError: " in result.stderr
        assert case.said in result.stderr
        assert set(os.listdir(tmp_path)) <= {case.name}
        return
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    of = {name: header.index(name) for name in ("status", "reason", "probability")}
    statuses = [row[of["status"]] for row in rows]
    assert tuple("scored" if s in SCORED else s for s in statuses) == case.statuses
    if case.cells:
        assert tuple(row[0] for row in rows) == case.cells
    reasons = [row[of["reason"]] for row in rows]
    assert case.said in result.stderr or any(case.said in reason for reason in reasons)
    for row, status in zip(rows, statuses, strict=True):
        assert bool(row[of["probability"]]) is (status in SCORED)


@pytest.mark.parametrize("case", SUPPORTS, ids=str)
def test_a_support_teaches_or_says_why_not(run: Run, tmp_path: Path, case: Case) -> None:
    (tmp_path / case.name).write_text(str(case.content))
    words = case.words if "--smiles" in case.words else (*case.words, "--smiles", "CCO")
    result = run("predict", "--support", case.name, *words)
    assert result.exit_code == case.code, result.stderr
    assert case.said in result.stderr
    assert (result.stdout == "") is (case.code != 0)
    for row in csv.DictReader(io.StringIO(result.stdout)):
        assert row["status"] in SCORED
        assert bool(row["probability"]) is ("--allow-tiny" not in words)


@pytest.mark.parametrize("case", CHECKPOINTS, ids=str)
def test_what_is_no_model_exits_5(
    run: Run, target_file: Path, tmp_path: Path, case: Spoiled
) -> None:
    (tmp_path / "x.molmeta").write_bytes(case.change(target_file.read_bytes()))
    result = run("predict", "--model", "x.molmeta", "--smiles", "CCO")
    assert (result.exit_code, result.stdout) == (5, "")
    assert case.said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_home_no_network_and_no_folder_change_no_byte(
    run: Run, target_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library.csv").write_text("smiles,half\nCCO,0.5\nCCI,1e5\nC1,\n")
    words = ["predict", "--model", target_file, "--input", tmp_path / "library.csv", "--quiet"]
    plain = run(*words).stdout_bytes
    assert plain.count(b"\n") == 4

    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("something asks for the network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, no_network)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    for name in ("LC_ALL", "LANG"):
        monkeypatch.setenv(name, "tr_TR.UTF-8")
    for name in ("http_proxy", "https_proxy", "no_proxy", "HF_HOME", "HF_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setattr("time.time", lambda: 0.0)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run(*words).stdout_bytes == plain


@pytest.mark.parametrize("letter", N_CASES)
def test_every_case_has_its_row(letter: str) -> None:
    told = [row[0] for row in TEXTS]
    told += [case.id for case in (*FILES, *SUPPORTS, *CHECKPOINTS)]
    told += [
        case for tests in HELD_BY.values() for cases in tests.values() for case in cases.split()
    ]
    expected = {f"{letter}{n}" for n in range(1, N_CASES[letter] + 1)}
    assert {case for case in told if case.startswith(letter)} == expected - set(OPEN)


@pytest.mark.parametrize("file", HELD_BY)
def test_the_tests_that_hold_the_other_cases_are_there(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert [name for name in HELD_BY[file] if f"\ndef {name}(" not in text] == []
