"""The files of FS-Mol, in the published layout or as Parquet, to one table of rows an assay."""

from __future__ import annotations

import gzip
import json
import math
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from data_recipes.building import COLUMNS, Build
from molmeta.assays.store import RELATIONS
from molmeta.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

Fold = str
FOLDS: Final[tuple[Fold, ...]] = ("train", "valid", "test")

_MEMBER: Final = re.compile(r"(?:.*/)?(train|valid|test)/([A-Za-z0-9_-]+)\.jsonl\.gz")
_MAX_LINE: Final = 1 << 24
"""Bytes; a published line has some tens of thousands, most of them features."""


def assays_of(source: Path, build: Build) -> Iterator[tuple[Fold, str, pa.Table]]:
    """Fold, id and rows of each assay, one after the other.

    Args:
        source: the published tar, a folder unpacked from it, a Parquet file named for its fold, or
            a folder of those.
        build: records what is read, and counts what is dropped.

    Raises:
        InputError: damaged, cut short, or nothing of the kind.
    """
    if source.is_dir():
        for fold in FOLDS:
            parquet = source / f"{fold}.parquet"
            packed = next(
                (f for f in (source / fold, source / "fs-mol" / fold) if f.is_dir()), None
            )
            if parquet.is_file():
                yield from _assays_of_parquet(build.read(parquet), fold)
            elif packed:
                for path in sorted(build.read(packed, fold).glob("*.jsonl.gz")):
                    if member := _MEMBER.fullmatch(f"{fold}/{path.name}"):
                        with path.open("rb") as file:
                            yield fold, member[2], _read_assay(file, str(path), member[2], build)
    elif source.suffix == ".parquet":
        if source.stem not in FOLDS:
            raise InputError(f"{source} is of no known fold: name it train, valid or test.parquet.")
        yield from _assays_of_parquet(build.read(source), source.stem)
    else:
        yield from _assays_of_tar(build.read(source), build)


def _assays_of_tar(path: Path, build: Build) -> Iterator[tuple[Fold, str, pa.Table]]:
    """Read in one go and never unpacked, so that no member can write anywhere."""
    from tqdm import tqdm

    size = path.stat().st_size
    with (
        path.open("rb") as file,
        tqdm(desc="read", total=size, unit="B", unit_scale=True, disable=None) as progress,
        _damage_told(path),
        tarfile.open(fileobj=file, mode="r|*") as tar,
    ):
        for member in tar:
            progress.update(file.tell() - progress.n)
            matched = _MEMBER.fullmatch(member.name)
            stream = tar.extractfile(member) if matched and member.isfile() else None
            if matched and stream:
                fold, name = matched.groups()
                yield fold, name, _read_assay(stream, f"{member.name} in {path}", name, build)
            elif not member.isdir():
                build.count("dropped", "members of the tar that are no assay")
        # A damaged header ends the loop as the end mark does: two blocks of zeros, of which one is
        # read by now.
        if tar.fileobj is None or tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end mark")


def _read_assay(packed: IO[bytes], origin: str, name: str, build: Build) -> pa.Table:
    """The rows of one file of the published layout, features aside."""
    import pyarrow as pa

    rows: list[tuple[Any, ...]] = []
    with _damage_told(origin), gzip.GzipFile(fileobj=packed) as lines:
        while line := lines.readline(_MAX_LINE + 1):
            if len(line) > _MAX_LINE:
                raise InputError(f"{origin} has a line of more than {_MAX_LINE:,} bytes.")
            if line.strip() and (row := _row(line, build)):
                rows.append((name, *row))
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    arrays = [pa.array(cells, kind()) for cells, kind in zip(columns, _arrow_types(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(COLUMNS))


def _arrow_types() -> list[Any]:
    import pyarrow as pa

    return [getattr(pa, name) for name in COLUMNS.values()]


def _row(line: bytes, build: Build) -> tuple[str, int, float | None, float | None, str, str] | None:
    """The cells after `assay_id`; None, and counted, for what is no row of FS-Mol."""
    try:
        record = json.loads(line)
        smiles, active = record["SMILES"], float(record["Property"])
    except (ValueError, KeyError, TypeError, RecursionError):
        build.count("dropped", "lines that are no JSON with a SMILES and a Property")
        return None
    if not isinstance(smiles, str) or not smiles.isascii() or active not in (0.0, 1.0):
        build.count(
            "dropped", "lines whose SMILES is no ASCII text or whose Property is not 0 or 1"
        )
        return None
    value, log_value = (
        _number(record, "RegressionProperty"),
        _number(record, "LogRegressionProperty"),
    )
    relation, kind = str(record.get("Relation") or ""), str(record.get("AssayType") or "")
    if relation not in RELATIONS:
        # Whether the value is measured or bounded is not known, while its class was published.
        build.count("noted", "rows without their value, whose relation is not known")
        value, log_value, relation = None, None, ""
    return smiles, int(active), value, log_value, relation, kind if kind.isascii() else ""


def _number(record: dict[str, Any], key: str) -> float | None:
    try:
        value = float(record.get(key) or "nan")
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _assays_of_parquet(path: Path, fold: Fold) -> Iterator[tuple[Fold, str, pa.Table]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet file: {error}") from error
    if missing := {"assay_id", "smiles", "label"} - set(rows.column_names):
        raise InputError(f"{path} has no column {', '.join(sorted(missing))}.")
    rows = rows.select([name for name in COLUMNS if name in rows.column_names])
    rows = rows.replace_schema_metadata(None)
    ids = rows["assay_id"].combine_chunks().dictionary_encode()
    codes = ids.indices.to_numpy(zero_copy_only=False)
    rows = rows.take(pa.array(np.argsort(codes, kind="stable")))
    starts = np.concatenate([[0], np.bincount(codes).cumsum()])
    for name, start, end in zip(ids.dictionary.to_pylist(), starts, starts[1:], strict=False):
        yield fold, str(name), rows.slice(start, end - start)


@contextmanager
def _damage_told(origin: Path | str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise InputError(
            f"{origin} is damaged or cut short ({error}); copy or download it again."
        ) from error
