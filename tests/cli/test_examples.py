"""The example in each command's help: all can be parsed, and those for one's own assay run."""

import shlex
import shutil
from pathlib import Path

import click
import pytest
from molmeta_cli.main import COMMANDS, main

from tests.cli.conftest import ROOT, Run

FILES = {
    "my_assay.csv": ROOT / "examples" / "herg_support.csv",
    "library.smi": ROOT / "examples" / "candidates.smi",
}
ON_ONES_OWN_ASSAY = (
    *("predict", "index", "check", "explain", "suggest", "report", "adapt", "score"),
)


def example(name: str) -> list[str]:
    """The words of the command's example, the file for its stdin left out."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    text = str(command.epilog).removeprefix("\b\nExample: ")
    words = shlex.split(text.partition(" < ")[0])
    assert words[:2] == ["molmeta", name]
    return words[2:]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_flags_of_an_example_exist_and_suffice(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    command.make_context(name, example(name), parent=click.Context(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_stands_on_one_line_to_be_copied(run: Run, name: str) -> None:
    lines = run(name, "--help").stdout.splitlines()
    (shown,) = [line for line in lines if "Example: " in line]
    assert shlex.split(shown.partition(" < ")[0])[1:] == ["molmeta", name, *example(name)]


@pytest.mark.parametrize("name", ON_ONES_OWN_ASSAY)
def test_an_example_on_ones_own_assay_runs(run: Run, tmp_path: Path, name: str) -> None:
    for file, source in FILES.items():
        shutil.copy(source, tmp_path / file)
    texts = [line.split()[0] for line in (tmp_path / "library.smi").read_text().splitlines()]
    (tmp_path / "library.csv").write_text("\n".join(["smiles", *texts]) + "\n")
    if name == "score":
        assert run("adapt", *example("adapt")).exit_code == 0
    before = set(tmp_path.iterdir())
    result = run(name, *example(name), stdin="\n".join(texts) + "\n")
    assert result.exit_code == 0, result.stderr
    assert result.stdout or set(tmp_path.iterdir()) > before


def test_a_command_that_is_misspelt_is_answered_with_its_name(run: Run) -> None:
    result = run("predct")
    assert result.exit_code == 2
    assert "did you mean 'predict'?" in result.stderr
