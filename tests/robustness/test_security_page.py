"""SECURITY.md names tests and commands; they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_file_and_command_that_the_page_names_is_there() -> None:
    files = re.findall(r"`((?:tests|molmeta|data_recipes)/[\w/.]*)`", PAGE)
    modules = re.findall(r"`python -m ([\w.]+)", PAGE)
    missing = [name for name in files if not (ROOT / name).exists()]
    missing += [m for m in modules if not (ROOT / f"{m.replace('.', '/')}.py").exists()]
    assert missing == []
    assert len(files) > 6
    assert len(modules) > 2


def test_the_bounds_that_the_page_names_are_those_of_the_code() -> None:
    from molmeta.chem.intake import MAX_ATOMS, MAX_FRAGMENTS, MAX_NESTING, MAX_RINGS

    bounds = f"atoms ({MAX_ATOMS}), rings ({MAX_RINGS}), fragments ({MAX_FRAGMENTS}) and nesting"
    assert f"{bounds} ({MAX_NESTING})" in PAGE
