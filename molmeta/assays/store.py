"""AssayStore: many assays from Parquet, with their featurised molecules kept beside the file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from molmeta.assays.read_texts import keep, kept, read_texts
from molmeta.assays.task import Task
from molmeta.chem.batch import MoleculeBatch, concatenate
from molmeta.chem.vocabulary import FEATURES_VERSION
from molmeta.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

REQUIRED_COLUMNS = ("assay_id", "smiles", "label")
RELATIONS = {"=": 0, "": 0, "~": 0, ">": -1, ">=": -1, ">>": -1, "<": 1, "<=": 1, "<<": 1}
"""Of a concentration -> of its potency, which is bounded from above where that is from below."""


@dataclass(frozen=True, slots=True)
class AssayStore:
    """Tasks that share one table of molecules."""

    tasks: tuple[Task, ...]
    molecules: MoleculeBatch
    """Every distinct molecule text of the file, featurised once."""
    rejected: dict[str, str]
    """SMILES that the intake turned away, with the reason; their rows are in no task."""
    sha256: str
    """Of the Parquet file or files."""
    smiles: tuple[str, ...] = ()
    """[len(molecules)], the text that each molecule was read from; empty where none is at hand."""

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def to(self, device: torch.device | str) -> AssayStore:
        """The same store with its molecules on another device; the tasks' small tensors stay."""
        return replace(self, molecules=self.molecules.to(device))


def open_store(path: Path, workers: int | None = None) -> AssayStore:
    """Read assays from a Parquet file, or from every Parquet file of a folder.

    The first call featurises the molecules (a thousand a second and core, or more) and leaves the
    arrays beside the file; later calls map them into memory. Where that folder cannot be written,
    they are computed each time, with a warning.

    Args:
        path: rows with `assay_id`, `smiles`, `label` (1 or 0) and optionally `log_value`
            (minus log10 molar) and `relation` (of the concentration: `=`, `>`, `<` ...).
        workers: processes that featurise; all cores if None.

    Raises:
        InputError: no such file, no Parquet or no row in it, a required column is missing, or
            words where numbers belong.
    """
    files = _parquet_files(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    cache = path / "molecules" if path.is_dir() else path.with_suffix("")
    cache = cache.with_name(f"{cache.name}.features-v{FEATURES_VERSION}.safetensors")
    return _store_of(_read_table(files), digest.hexdigest(), cache, workers)


def build_store(table: pa.Table, workers: int | None = None) -> AssayStore:
    """The store that `open_store` gives of `table` as a Parquet file, with nothing kept on disk.

    Raises:
        InputError: as `open_store`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pa.BufferOutputStream()
    pq.write_table(table, file)
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    rows = _checked(table, "the table")
    if not rows.num_rows:
        raise InputError("The table has no rows.")
    return _store_of(rows, sha256, None, workers)


def join_stores(stores: Sequence[AssayStore]) -> AssayStore:
    """All tasks of several stores in one, their molecules one store after another.

    Raises:
        InputError: an assay id is in two of them.
    """
    if len(stores) == 1:
        return stores[0]
    tasks: list[Task] = []
    first = 0
    for store in stores:
        tasks += [replace(task, molecules=task.molecules + first) for task in store]
        first += len(store.molecules)
    repeated = [name for name, n in Counter(task.assay_id for task in tasks).items() if n > 1]
    if repeated:
        raise InputError(f"Assay {repeated[0]} is in two of the files that are to be joined.")
    return AssayStore(
        tasks=tuple(tasks),
        molecules=concatenate([store.molecules for store in stores]),
        rejected={text: why for store in stores for text, why in store.rejected.items()},
        sha256=hashlib.sha256("".join(store.sha256 for store in stores).encode()).hexdigest(),
        smiles=tuple(text for store in stores for text in store.smiles),
    )


def _store_of(table: pa.Table, sha256: str, cache: Path | None, workers: int | None) -> AssayStore:
    # An empty cell is a text like any other: the intake turns it away and says why.
    cells = ["" if text is None else text for text in table["smiles"].to_pylist()]
    texts, text_of_row = np.unique(np.array(cells, dtype=object), return_inverse=True)
    read = kept(cache, sha256) if cache else None
    if read is None:
        read = read_texts(list(texts), workers)
        if cache:
            keep(read, cache, sha256)
    places = read.places.numpy()
    tasks = _build_tasks(table, places[text_of_row])
    named = tuple(texts[places >= 0])
    return AssayStore(tuple(tasks), read.molecules, read.rejected, sha256, named)


def _parquet_files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.")
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"The folder {path} holds no .parquet file.")
    return files


def _read_table(files: Sequence[Path]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = []
    for file in files:
        try:
            part = pq.read_table(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(
                f"{file} is not a readable Parquet file of assays, with assay_id, smiles and "
                "label; `python -m data_recipes.table` makes one out of a table of measurements "
                f"({error})"
            ) from error
        parts.append(_checked(part, str(file)))
    table = pa.concat_tables(parts, promote_options="permissive")
    if not table.num_rows:
        raise InputError(f"{files[0]} has no rows.")
    return table


def _checked(table: pa.Table, origin: str) -> pa.Table:
    """The columns that a store is made of, with numbers where numbers belong."""
    import pyarrow as pa

    missing = [name for name in REQUIRED_COLUMNS if name not in table.column_names]
    if missing:
        raise InputError(
            f"{origin} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}."
        )
    wanted = [*REQUIRED_COLUMNS, "log_value", "relation"]
    table = table.select([name for name in wanted if name in table.column_names])
    for name in {"label", "log_value"}.intersection(table.column_names):
        try:
            numbers = table[name].cast(pa.float32())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"Column {name} of {origin} must hold numbers: {error}.") from error
        table = table.set_column(table.column_names.index(name), name, numbers)
    return table


def _build_tasks(table: pa.Table, molecule_of_row: NDArray[np.int64]) -> Iterator[Task]:
    n = table.num_rows
    names = np.array(table["assay_id"].to_pylist(), dtype=object)
    labels = np.array(table["label"].to_pylist(), dtype=np.float32)
    columns = table.column_names
    values = np.full(n, np.nan, dtype=np.float32)
    if "log_value" in columns:
        values = np.array(table["log_value"].to_pylist(), dtype=np.float32)
    relations = np.zeros(n, dtype=np.int8)
    if "relation" in columns:
        texts = table["relation"].to_pylist()
        relations = np.array([RELATIONS.get(t or "", 0) for t in texts], dtype=np.int8)
    # A row whose label is neither 0 nor 1 teaches nothing about classes.
    usable = (molecule_of_row >= 0) & np.isin(labels, (0, 1))
    first_seen = dict.fromkeys(names)
    rows_of: dict[str, list[int]] = {name: [] for name in first_seen}
    for row in np.flatnonzero(usable):
        rows_of[names[row]].append(int(row))
    for name, rows in rows_of.items():
        if rows:
            yield Task(
                assay_id=str(name),
                molecules=torch.from_numpy(molecule_of_row[rows]),
                labels=torch.from_numpy(labels[rows]),
                log_values=torch.from_numpy(values[rows]),
                relations=torch.from_numpy(relations[rows]),
            )
