"""Where an Optuna study is kept, for one process or several: a journal file or a data base."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import SQLAlchemyError

from molmeta.errors import ConfigError, OutputError

JOURNAL = "journal:"
LOCK_SECONDS = 30
"""A journal's lock that is older was left behind by a killed process, and is taken over."""


@contextmanager
def open_study(storage: str, name: str, about: Mapping[str, Any]) -> Iterator[optuna.Study]:
    """The study `name`, made where it is missing; higher is better.

    Args:
        storage: `journal:PATH` for a file, or the URL of a data base such as `sqlite:///PATH`.
        name: of the study.
        about: what it depends on, as JSON has it; kept with the study.

    Raises:
        ConfigError: the study there is about something else.
        OutputError: the storage cannot be used, also later.
    """
    # A URL may hold a password in front of the @.
    place = storage.rpartition("@")[2]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=_open_storage(storage),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=_pruner(),
        )
        if study.user_attrs.setdefault("about", dict(about)) != about:
            raise ConfigError(
                f"The study {name!r} in {place} is of another model, other assays or other "
                "settings: choose another study or storage."
            )
        study.set_user_attr("about", dict(about))
        yield study
    except (OSError, ImportError, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error).partition("\n")[0]
        raise OutputError(f"The study cannot be kept in {place}: {reason}") from error
    except json.JSONDecodeError as error:
        raise OutputError(f"The journal {place} is damaged ({error}): choose another.") from error


def _open_storage(storage: str) -> BaseStorage:
    if not storage.startswith(JOURNAL):
        return RDBStorage(storage)
    path = storage.removeprefix(JOURNAL)
    if not Path(path).parent.is_dir():
        raise OutputError(f"There is no folder {Path(path).parent} for the journal {path}.")
    lock = JournalFileOpenLock(path, grace_period=LOCK_SECONDS)
    backend = JournalFileBackend(path, lock_obj=lock)
    lock.acquire()
    try:
        with Path(path).open("rb+") as file:
            # A full disk can cut a line off; the next one would be joined to it and be lost.
            file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()
    return JournalStorage(backend)


def _pruner() -> optuna.pruners.BasePruner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.pruners.WilcoxonPruner()
