"""A few kills; `python -m benchmarks.kills` takes 200."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import kills

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="has no fork")
def test_a_killed_run_leaves_each_file_old_or_whole_and_ends_with_the_same_bytes() -> None:
    words = [sys.executable, "-m", "benchmarks.kills", "--n", "24", "--seed", "1"]
    run = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    assert "5 files of each run equal" in run.stdout


def test_a_broken_and_a_differing_file_are_flaws(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    kills.lay_out(folder)
    expected = {**kills.results(folder), kills.MODEL: b"new"}
    assert kills.flaws(folder, expected, finished=False) == []
    assert kills.flaws(folder, expected, finished=True) == ["model.molmeta differs"]
    (folder / kills.MODEL).write_bytes(b"ne")
    (folder / ".molmeta-part").touch()
    assert kills.flaws(folder, expected, finished=False) == ["model.molmeta is broken"]
    assert kills.flaws(folder, expected, finished=True)[1:] == [".molmeta-part was left"]
