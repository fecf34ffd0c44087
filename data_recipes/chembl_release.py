"""A ChEMBL release as SQLite, opened for reading and streamed assay by assay."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Final

from data_recipes.lock import locked
from molmeta.errors import InputError, OutputError

_SCHEMA: Final = {
    "activities": (
        *("activity_id", "assay_id", "molregno", "standard_relation", "standard_value"),
        *("standard_units", "standard_type", "data_validity_comment", "potential_duplicate"),
    ),
    "assays": ("assay_id", "chembl_id", "assay_type", "confidence_score", "tid"),
    "compound_structures": ("molregno", "canonical_smiles"),
    "target_dictionary": ("tid", "chembl_id", "pref_name"),
    "target_components": ("tid", "component_id"),
    "component_class": ("component_id", "protein_class_id"),
    "protein_classification": ("protein_class_id", "protein_class_desc", "class_level"),
}
"""The tables and columns that are read, of the hundreds that a release has."""

_CHUNK: Final = 1 << 20

_SIZES: Final = """
    SELECT COALESCE(SUM(size), 0), COALESCE(SUM(size * (size >= :smallest)), 0)
    FROM (SELECT COUNT(*) AS size FROM activities GROUP BY assay_id)
"""
# A CROSS JOIN is never reordered, and a term with a plus chooses no index: the assays are walked in
# the order of their identifiers, and only the activities of one assay are ever sorted.
ACTIVITIES: Final = """
    SELECT assays.chembl_id, assays.assay_type, assays.confidence_score, assays.tid,
           standard_type, standard_relation, standard_value, standard_units,
           data_validity_comment, potential_duplicate, canonical_smiles
    FROM assays CROSS JOIN activities ON activities.assay_id = assays.assay_id
    LEFT JOIN compound_structures ON compound_structures.molregno = activities.molregno
    WHERE +assays.assay_id IN (
        SELECT assay_id FROM activities GROUP BY assay_id HAVING COUNT(*) >= :smallest)
    ORDER BY assays.chembl_id, activities.activity_id
"""
_CLASSES: Final = """
    SELECT target_dictionary.tid, chembl_id, pref_name, protein_class_desc
    FROM target_dictionary
    LEFT JOIN target_components ON target_components.tid = target_dictionary.tid
    LEFT JOIN component_class ON component_class.component_id = target_components.component_id
    LEFT JOIN (SELECT protein_class_id, protein_class_desc, class_level
               FROM protein_classification) AS classes
           ON classes.protein_class_id = component_class.protein_class_id
    ORDER BY target_dictionary.tid, class_level DESC, classes.protein_class_id
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What an assay measures an effect on."""

    chembl_id: str
    name: str
    families: tuple[str, ...]
    """Of its proteins, the finest first: `enzyme / kinase / protein kinase`; none for a cell."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One measurement, in ChEMBL's standardised form; any of it may be missing."""

    type: str | None
    relation: str | None
    value: object
    """A number, unless the release is odd: SQLite lets any column hold text."""
    unit: str | None
    validity: str | None
    """ChEMBL's comment on a value that it doubts, or has checked."""
    is_repeated: bool
    """Whether ChEMBL takes it for a copy of a value from an earlier publication."""
    smiles: str | None


@dataclass(frozen=True, slots=True)
class Assay:
    """What is known of an assay beside its activities."""

    chembl_id: str
    type: str | None
    """B binding, F functional, A ADME, T toxicity, P physicochemical, U unclassified."""
    confidence: int | None
    """How surely its target is known: 9 for one protein, 0 for nothing known."""
    target: Target | None


class Release:
    """An open release; closed by `open_release`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def version(self) -> tuple[str, str | None]:
        """`ChEMBL_36` and the date of its making, YYYY-MM-DD; as far as the release says."""
        if "version" in self._tables():
            for name, date in self._rows("SELECT name, creation_date FROM version ORDER BY name"):
                if str(name).upper().startswith("CHEMBL_"):
                    return str(name), str(date)[:10] if date else None
        return "ChEMBL", None

    def n_activities(self, smallest: int) -> tuple[int, int]:
        """How many there are, and how many of them in assays of at least `smallest`."""
        ((total, in_large),) = self._rows(_SIZES, smallest=smallest)
        return total, in_large

    def assays(self, smallest: int) -> Iterator[tuple[Assay, Iterator[Activity]]]:
        """Assays of at least `smallest` activities, by ChEMBL ID, their activities by activity ID.

        The activities of an assay can be read until the next assay is asked for.

        Raises:
            InputError: the file turns out to be damaged.
        """
        targets = self._targets()
        rows = self._rows(ACTIVITIES, smallest=smallest)
        for (chembl_id, type_, confidence, tid), group in groupby(rows, key=itemgetter(0, 1, 2, 3)):
            assay = Assay(chembl_id, type_, confidence, targets.get(tid))
            yield assay, map(_activity, group)

    def _targets(self) -> dict[int, Target]:
        targets = {}
        for (tid, chembl_id, name), group in groupby(self._rows(_CLASSES), key=itemgetter(0, 1, 2)):
            families = dict.fromkeys(" / ".join(row[3].split("  ")) for row in group if row[3])
            targets[tid] = Target(chembl_id, name, tuple(families))
        return targets

    def check_schema(self) -> None:
        """Refuse a database that is not ChEMBL.

        Raises:
            InputError: it is no SQLite, damaged, or lacks a table or a column.
        """
        tables = self._tables()
        for table, columns in _SCHEMA.items():
            if table not in tables:
                raise InputError(
                    f"{self._path} is an SQLite database but no ChEMBL release: it has no table "
                    f"'{table}'."
                )
            found = {row[1] for row in self._rows(f"PRAGMA table_info({table})")}
            if missing := [column for column in columns if column not in found]:
                raise InputError(
                    f"{self._path} is no ChEMBL release that can be read: its table '{table}' has "
                    f"no column {', '.join(missing)}."
                )

    def _tables(self) -> set[str]:
        rows = self._rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return {name for (name,) in rows}

    def _rows(self, query: str, **values: int) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise InputError(
                f"{self._path} cannot be read as an SQLite database ({error}); it is another kind "
                "of file, damaged or cut short: copy or download it again."
            ) from error


def _activity(row: tuple[Any, ...]) -> Activity:
    *_, type_, relation, value, unit, validity, flag, smiles = row
    return Activity(type_, relation, value, unit, validity, flag == 1, smiles)


@contextmanager
def open_release(path: Path, scratch: Path) -> Iterator[Release]:
    """A release opened for reading, from the database or from the archive it is published in.

    Args:
        path: `chembl_36.db`, or `chembl_36_sqlite.tar.gz`, or the database with gzip.
        scratch: file to unpack an archive to; removed in the end, and overwritten where a run that
            was killed left it.

    Raises:
        InputError: no such file, damaged, no SQLite, no ChEMBL.
        OutputError: an archive cannot be unpacked there.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    with _unpacked(path, scratch) as database:
        # Read-only: SQLite would otherwise make an empty database of a name that is not there.
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
        # Names in old releases are not all UTF-8.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            release = Release(connection, path)
            release.check_schema()
            yield release
        finally:
            connection.close()


@contextmanager
def _unpacked(path: Path, scratch: Path) -> Iterator[Path]:
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not is_packed:
        yield path
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(scratch, os.O_RDWR | os.O_CREAT))
            stack.callback(scratch.unlink)
            with scratch.open("wb") as file:
                _unpack(path, file)
        except OSError as error:
            raise OutputError(f"{scratch} cannot be written: {error.strerror or error}") from error
        yield scratch


def _unpack(path: Path, to: IO[bytes]) -> None:
    """Write the database in a gzip file, or in a tar as ChEMBL publishes it."""
    try:
        with gzip.open(path) as content:
            is_tar = content.read(512)[257:262] == b"ustar"
        if not is_tar:
            with gzip.open(path) as content:
                shutil.copyfileobj(content, to, _CHUNK)
            return
        with tarfile.open(path, "r|gz") as tar:
            for member in tar:
                if member.name.endswith(".db") and (database := tar.extractfile(member)):
                    shutil.copyfileobj(database, to, _CHUNK)
                    return
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged or cut short ({error}); download it again.") from error
    raise InputError(f"{path} holds no .db file; ChEMBL's SQLite releases are *_sqlite.tar.gz.")
