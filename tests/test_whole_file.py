import errno
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest

from molmeta.whole_file import hidden_beside, remove_left, whole_file

ROOT = Path(__file__).parents[1]


def write(path: Path, content: str) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_text(content)


def killed_writer(path: Path) -> None:
    """A process that dies in the middle of writing `path`."""
    code = """
        import os, signal, sys
        from pathlib import Path
        from molmeta.whole_file import whole_file

        with whole_file(Path(sys.argv[1])) as unfinished:
            unfinished.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    words = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == -9


def test_a_file_appears_whole_and_alone(tmp_path: Path) -> None:
    for content in ("first", "second"):
        write(tmp_path / "a", content)
        assert (tmp_path / "a").read_text() == content
        assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["lock", "a b", "-", "é\n", "x" * 255])
def test_any_name_that_a_file_may_have_can_be_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    def break_off(failure: BaseException) -> None:
        with whole_file(tmp_path / "a") as unfinished:
            unfinished.write_text("half")
            raise failure

    write(tmp_path / "a", "old")
    for failure in (OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), SystemExit(143)):
        with pytest.raises(type(failure)):
            break_off(failure)
        assert (tmp_path / "a").read_text() == "old"
        assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_what_a_process_left_that_was_killed_at_once_is_removed_too(tmp_path: Path) -> None:
    hidden_beside(tmp_path / "a", "-empty").mkdir()
    write(tmp_path / "a", "new")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_a_folder_that_is_taken_for_left_at_once_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp
    others = [remove_left, remove_left]

    def make_and_lose(**options: Any) -> str:
        folder = make(**options)
        if others:
            others.pop()(tmp_path / "a")
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    write(tmp_path / "a", "new")
    assert not others
    assert (tmp_path / "a").read_text() == "new"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    write(tmp_path / "a", "old")
    killed_writer(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2
    write(tmp_path / "b", "of another name")
    assert len(os.listdir(tmp_path)) == 3
    write(tmp_path / "a", "new")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_writer_at_work_is_left_in_peace(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as slow:
        slow.write_text("slow")
        write(tmp_path / "a", "quick")
        assert (tmp_path / "a").read_text() == "quick"
    assert (tmp_path / "a").read_text() == "slow"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_it_is_what_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / "a") as unfinished:
            unfinished.write_text("x")
            unfinished.chmod(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_folder_that_is_missing_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write(tmp_path / "nowhere" / "a", "x")
