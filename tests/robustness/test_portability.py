"""What keeps the package usable on Windows, where these tests do not run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POSIX_ONLY = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog", "posix"}
FILES = sorted([*ROOT.glob("molmeta/**/*.py"), *ROOT.glob("cli/**/*.py")])


def test_what_windows_lacks_is_imported_on_trial_alone() -> None:
    found = 0
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        on_trial = {
            node
            for attempt in ast.walk(tree)
            if isinstance(attempt, ast.Try)
            and any(
                isinstance(h.type, ast.Name) and h.type.id == "ImportError"
                for h in attempt.handlers
            )
            for statement in attempt.body
            for node in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names]
                if POSIX_ONLY & {name.partition(".")[0] for name in names}:
                    assert node in on_trial, f"{file} line {node.lineno}"
                    found += 1
    assert found


@pytest.mark.parametrize("call", ["os.fork", "os.mkfifo", "os.geteuid", "signal.SIGKILL", '"fork"'])
def test_what_windows_lacks_is_not_called(call: str) -> None:
    assert [file for file in FILES if call in file.read_text(encoding="utf-8")] == []
