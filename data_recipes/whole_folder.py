"""A folder that is either whole under its name or not there.

Everything is written to a folder `.NAME.building` beside the final one and renamed at the very end.
What a killed run leaves under that name is no store, and the next run clears it away.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_recipes.lock import locked
from molmeta.errors import OutputError
from molmeta.whole_file import sync_folder


@contextmanager
def whole_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder to write to, which becomes `out` on leaving without an error.

    Args:
        out: may not exist, save empty; folders on the way to it are made.
        overwrite: whether a folder that a recipe made may be replaced at the end.

    Raises:
        OutputError: on entering if `out` exists or cannot be made, or another process makes it.
    """
    final = out.resolve()
    partial = final.with_name(f".{final.name}.building")
    with _told(out):
        partial.mkdir(parents=True, exist_ok=True)
    with locked(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW):
        try:
            with _told(out):
                _recover(final)
                _check_place(final, overwrite)
                for entry in partial.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            yield partial
            with _told(out):
                sync_folder(partial)
                _check_place(final, overwrite)
                _take_place(partial, final)
        finally:
            # After a success there is nothing left of it.
            shutil.rmtree(partial, ignore_errors=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """What the system says, in a sentence."""
    return OutputError(f"{path} cannot be written: {error.strerror or error}")


def _replaced(final: Path) -> Path:
    return final.with_name(f".{final.name}.replaced")


def _take_place(partial: Path, final: Path) -> None:
    if final.exists():
        final.rename(_replaced(final))
    partial.rename(final)
    sync_folder(final.parent)
    shutil.rmtree(_replaced(final), ignore_errors=True)


def _recover(final: Path) -> None:
    """Undo or finish a replacement that a kill cut short."""
    old = _replaced(final)
    if old.is_dir() and not final.exists():
        old.rename(final)
    elif old.is_dir():
        shutil.rmtree(old)


def _check_place(final: Path, overwrite: bool) -> None:
    if not final.exists():
        return
    if not final.is_dir():
        raise OutputError(f"{final} is a file; name a folder to make.")
    found = {entry.name for entry in final.iterdir()}
    if not found:
        return
    if not overwrite:
        raise OutputError(f"{final} exists already; name another folder, or add --overwrite.")
    try:
        outputs = json.loads((final / "dataset.json").read_bytes())["outputs"]
        ours = {"dataset.json", *outputs}
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = sorted(name for name in found - ours if ".features-v" not in name)
    if foreign:
        raise OutputError(
            f"{final} is not replaced: it holds {foreign[0]}, which no recipe wrote. Name another "
            "folder."
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error
