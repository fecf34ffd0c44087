"""Completion of commands, flags and choices in the shell, as click provides it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from molmeta_cli.main import COMMANDS


def completed(line: str, folder: Path, shell: str = "bash") -> list[str]:
    """What the shell is offered for the last word of `line`."""
    asked = {
        "_MOLMETA_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from molmeta_cli.main import main; main(prog_name='molmeta')"],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **asked},
    )
    assert done.stderr == ""
    return [offer.partition(",")[2] for offer in done.stdout.splitlines()]


def test_commands_are_completed(tmp_path: Path) -> None:
    assert set(completed("molmeta ", tmp_path)) >= set(COMMANDS)
    assert completed("molmeta pre", tmp_path) == ["predict"]


def test_flags_and_their_choices_are_completed(tmp_path: Path) -> None:
    assert "--support" in completed("molmeta predict --supp", tmp_path)
    assert completed("molmeta predict --active ", tmp_path) == ["above", "below"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_for_the_shells_are_printed(tmp_path: Path, shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from molmeta_cli.main import main; main(prog_name='molmeta')"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "_MOLMETA_COMPLETE": f"{shell}_source"},
    )
    assert f"_MOLMETA_COMPLETE={shell}_complete" in done.stdout
