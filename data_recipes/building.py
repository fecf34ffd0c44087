"""A folder of assays in Parquet, with the dataset.json that tells where they come from."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from data_recipes.sources import file_sha256
from data_recipes.whole_folder import cannot_write, whole_folder
from molmeta.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT: Final = 1
"""Of dataset.json."""

COLUMNS: Final = {
    "assay_id": "large_string",
    "smiles": "large_string",
    "label": "int8",
    "value": "float64",
    "log_value": "float64",
    "relation": "large_string",
    "assay_type": "large_string",
}
"""Columns with a meaning, in their order, with their Arrow types; the first three are needed."""

ROW_GROUP: Final = 1 << 19
"""Rows of a Parquet row group: fixed, so that the bytes do not depend on how the rows came."""

Fate = Literal["merged", "dropped", "noted"]
"""What became of rows that are not simply kept; `noted` ones are kept, and worth knowing of."""


@dataclass(frozen=True, slots=True)
class About:
    """Where a data set comes from; goes into dataset.json as it is."""

    recipe: str
    """Name of the recipe: `fsmol`."""
    name: str
    """Of the data set, with its version: `FS-Mol 0.1`."""
    url: str
    licence: str
    citation: str
    released: str | None = None
    """Date of its release, YYYY-MM-DD or as much of it as is known; None for a user's own files,
    whose date is then taken."""


@dataclass(slots=True)
class Build:
    """The store being written; made by `building`."""

    folder: Path
    """Where files are written until the end."""
    final: Path
    """Where they are once all are written."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Choices of the recipe that shaped the result, as JSON values: thresholds, minimum sizes."""
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[Fate, Counter[str]] = field(default_factory=dict)
    dates: set[str] = field(default_factory=set)
    """Of the inputs."""

    def read(self, path: Path, name: str | None = None) -> Path:
        """Record an input by its content; call it for everything that is read.

        Args:
            path: a file, or a folder, whose SHA-256 is that of what `sha256sum` prints for its
                files in the order of their names; given back.
            name: what dataset.json calls it; its own name if None.

        Raises:
            InputError: it cannot be read, or lies in the folder that is being replaced.
        """
        if path.resolve().is_relative_to(self.final):
            raise InputError(f"{path} lies in {self.final}, which is to be replaced.")
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
        if files:
            listing = (
                f"{file_sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files
            )
            sha256 = hashlib.sha256("".join(listing).encode()).hexdigest()
        else:
            sha256 = file_sha256(path)
        states = [file.stat() for file in files or [path]]
        size = sum(state.st_size for state in states)
        self.inputs[name or path.name] = {"bytes": size, "sha256": sha256}
        for state in states:
            self.dates.add(datetime.fromtimestamp(state.st_mtime, UTC).date().isoformat())
        return path

    def count(self, fate: Fate, reason: str, n: int = 1) -> None:
        """Add `n` rows (or what `reason` names) to a count of dataset.json."""
        if n:
            self.counts.setdefault(fate, Counter())[reason] += n

    def write(self, name: str, tables: pa.Table | Iterable[pa.Table]) -> None:
        """Write `NAME.parquet`; its rows and assays are the ones kept.

        Args:
            name: of the file, without its suffix: a fold, or `assays` where there are none.
            tables: rows in the order to keep, at once or in parts: `assay_id`, `smiles`, `label`
                (0 or 1), any others of `COLUMNS`, and further columns of metadata (`target_id`,
                `target_name`, `target_family`, `confidence` ...), the same in every part.

        Raises:
            InputError: there is no row, or a needed cell is empty or no 0 or 1.
            OutputError: the disk is full, or the like.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / f"{name}.parquet"
        parts = iter([tables] if isinstance(tables, pa.Table) else tables)
        n_rows, assays = 0, set[str]()
        groups = _row_groups(_checked(part, name) for part in parts)
        first = next(groups, None)
        if first is None:
            raise InputError(f"Nothing is left to write in {name}.parquet.")
        try:
            with path.open("xb") as file:
                with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
                    for group in itertools.chain([first], groups):
                        writer.write_table(group, row_group_size=ROW_GROUP)
                        n_rows += group.num_rows
                        assays.update(group["assay_id"].unique().to_pylist())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(path, error) from error
        self.outputs[path.name] = {
            "rows": n_rows,
            "assays": len(assays),
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }


@contextmanager
def building(out: Path, about: About, *, overwrite: bool = False) -> Iterator[Build]:
    """A store to write to; on leaving without an error it is complete and gets its name.

    Args:
        out: the folder to make, in one that exists.
        about: where the data come from.
        overwrite: whether a store that a recipe made may be replaced, which happens at the very
            end.

    Raises:
        OutputError: on entering if `out` exists or cannot be made, later if the disk is full.
    """
    with whole_folder(out, overwrite=overwrite) as folder:
        build = Build(folder, out.resolve())
        yield build
        try:
            _write_json(folder / "dataset.json", _document(build, about))
        except OSError as error:
            raise cannot_write(out, error) from error


def _checked(rows: pa.Table, name: str) -> pa.Table:
    """The columns in their order and types."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [column for column in COLUMNS if column in rows.column_names]
    columns += [column for column in rows.column_names if column not in COLUMNS]
    schema = pa.schema(
        pa.field(column, getattr(pa, COLUMNS[column])())
        if column in COLUMNS
        else rows.schema.field(column).remove_metadata()
        for column in columns
    )
    try:
        rows = rows.select(columns).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{name}.parquet cannot be written: {error}.") from error
    for column in ("assay_id", "smiles", "label"):
        if rows[column].null_count:
            raise InputError(f"{name}.parquet cannot be written: {column} is empty in a row.")
    if not pc.all(pc.is_in(rows["label"], pa.array([0, 1], pa.int8())), min_count=0).as_py():
        raise InputError(f"{name}.parquet cannot be written: a label is neither 0 nor 1.")
    return rows


def _row_groups(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in groups of ROW_GROUP, the last one shorter."""
    import pyarrow as pa

    held: list[pa.Table] = []
    n_held = 0
    for part in parts:
        held.append(part)
        n_held += part.num_rows
        if n_held >= ROW_GROUP:
            rows = pa.concat_tables(held)
            whole = n_held - n_held % ROW_GROUP
            for start in range(0, whole, ROW_GROUP):
                yield rows.slice(start, ROW_GROUP).combine_chunks()
            held, n_held = [rows.slice(whole)], n_held - whole
    if n_held:
        yield pa.concat_tables(held).combine_chunks()


def _document(build: Build, about: About) -> dict[str, Any]:
    kept = {
        what: sum(output[what] for output in build.outputs.values()) for what in ("rows", "assays")
    }
    return {
        "format": FORMAT,
        **asdict(about),
        # Not the time of this run: the same input gives the same bytes.
        "released": about.released or max(build.dates, default=None),
        "settings": build.settings,
        "inputs": build.inputs,
        "outputs": build.outputs,
        "counts": {"kept": kept, **build.counts},
    }


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    with path.open("x", encoding="utf-8") as file:
        json.dump(document, file, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
