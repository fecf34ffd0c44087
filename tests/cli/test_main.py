"""The command as a whole: help without torch, exit codes without tracebacks, and how it ends."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from molmeta_cli.main import COMMANDS, EXIT_CODES, main

from molmeta import __version__
from molmeta.errors import MolmetaError
from tests.cli.conftest import ROOT, Run

Start = Callable[..., "subprocess.Popen[bytes]"]

HEAVY = ("torch", "numpy", "rdkit", "sklearn", "pandas", "optuna", "pyarrow")


def imported_after(code: str, *packages: str) -> str:
    """Which of the packages a fresh Python has imported after `code`."""
    code = (
        f"import sys\n{code}\nprint([m for m in {packages} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
    )
    return done.stderr.strip()


def test_help_of_every_command_imports_nothing_heavy() -> None:
    calls = [f"main([{name!r}, '--help'], standalone_mode=False)" for name in COMMANDS]
    code = "\n".join(
        ["from molmeta_cli.main import main", "main(['--help'], standalone_mode=False)"]
    )
    assert imported_after("\n".join([code, *calls]), *HEAVY) == "[]"


def test_predicting_imports_no_training_and_no_foreign_learning(assay: Path, learner: Path) -> None:
    words = [
        "predict",
        "--support",
        assay,
        "--learner-model",
        learner,
        "--smiles",
        "CCO",
        "--quiet",
    ]
    code = (
        f"from molmeta_cli.main import main\nmain({[str(w) for w in words]}, standalone_mode=False)"
    )
    unwanted = ("sklearn", "pandas", "optuna", "deepchem", "torch_geometric", "molmeta.training")
    # The last two: seconds of imports that torch makes when it is asked for the wrong thing.
    assert imported_after(code, *unwanted, "torch._dynamo", "sympy") == "[]"


def test_help_lists_every_command_on_a_line(run: Run) -> None:
    text = run("--help").stdout
    for name, line in COMMANDS.items():
        assert f"{name}  " in text
        assert line in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    command = main.get_command(click.Context(main), name)
    assert command is not None
    takes_a_word = any(isinstance(parameter, click.Argument) for parameter in command.params)
    (first,) = re.findall(rf"Example: molmeta {name} (\S+)", result.stdout)
    assert first.startswith("--") is not takes_a_word


def test_version_is_told(run: Run) -> None:
    assert run("--version").stdout == f"molmeta {__version__}\n"


@pytest.mark.parametrize("words", [["nothing"], ["predict", "--nothing"], ["predict", "--top"]])
def test_a_flag_that_is_not_there_exits_2_and_says_so_on_stderr(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


@pytest.mark.parametrize("kind", [*EXIT_CODES, *[type("Sub", (k,), {}) for k in EXIT_CODES]])
def test_errors_exit_with_their_code_and_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: type[MolmetaError]
) -> None:
    @click.command()
    def fails() -> None:
        raise kind("what was found, and what to do")

    monkeypatch.setattr("molmeta_cli.adapt.command", fails)
    result = run("adapt")
    code = next(code for base, code in EXIT_CODES.items() if issubclass(kind, base))
    assert result.exit_code == code
    assert (result.stdout, result.stderr) == ("", "Error: what was found, and what to do\n")


def test_every_kind_of_error_has_its_code() -> None:
    assert set(EXIT_CODES) == set(MolmetaError.__subclasses__())
    assert sorted(EXIT_CODES.values()) == [2, 3, 4, 5, 6]


def test_a_closed_pipe_ends_quietly(start: Start, assay: Path, learner: Path) -> None:
    library = assay.with_name("library.csv")
    library.write_text("smiles\n" + "CCO\n" * 50_000)
    words = ["predict", "--support", assay, "--learner-model", learner, "--input", library]
    with start(*words, "--quiet") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"smiles,probability")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_no_file_and_has_its_code(
    start: Start, assay: Path, learner: Path, number: signal.Signals, code: int
) -> None:
    folder = assay.parent / "results"
    folder.mkdir()
    words = ["predict", "--support", assay, "--learner-model", learner, "--input", "-"]
    with start(*words, "--output", folder / "scores.csv", "--quiet") as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"smiles\n" + b"CCO\n" * 50_000)
        process.stdin.flush()
        deadline = time.monotonic() + 120
        while not any(folder.iterdir()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        # The rest of stdin stays open: the command must not wait for it.
        assert process.wait(60) == code
        assert list(folder.iterdir()) == []
        assert b"Traceback" not in process.stderr.read()


def test_the_command_is_what_the_entry_point_names() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert 'molmeta = "molmeta_cli.main:main"' in text
    assert isinstance(main, click.Command)
    assert f'version = "{__version__}"' in text
