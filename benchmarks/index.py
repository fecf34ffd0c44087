"""How fast an index is made and ranked: `python -m benchmarks.index --library library.csv`."""

from __future__ import annotations

import csv
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial
from itertools import islice
from pathlib import Path

import click
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from molmeta.assays.support import build_support
from molmeta.assays.tables import Row, Table, open_table
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.index.building import build_index
from molmeta.index.manifest import INDEX, part_path, write_manifest
from molmeta.index.part import ROWS, Part
from molmeta.index.ranking import LibraryIndex, rank, require_head_learner
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig
from molmeta.screening import screen
from molmeta.target import TargetModel, adapt_target

EXAMPLE = Path(__file__).parents[1] / "examples" / "herg_support.csv"

DIRECT_ROWS = 2_000
"""Scored from SMILES, to compare with; a thousand times as many would take as long a time."""


class _Kept:
    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def write(self, cells: Sequence[str]) -> None:
        self.rows.append(tuple(cells))


class _FirstRows:
    """The first rows of a table."""

    def __init__(self, table: Table, n: int) -> None:
        self.source, self.columns = table.source, table.columns
        self.smiles_column = table.smiles_column
        self.rows = list(islice(table, n))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


@click.command()
@click.option("--library", type=click.Path(path_type=Path), required=True)
@click.option(
    "--learner", type=click.Choice(("deepkernel", "protonet")), default="deepkernel",
    help="protonet: its untrained head on the shipped encoder, which takes the same time.",
)  # fmt: skip
@click.option("--parts", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--copies", type=click.IntRange(min=1), default=48, show_default=True)
@click.option("--support-size", type=click.Choice(["16", "32"]), default="16", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), multiple=True, default=(1, 2))
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--strangers", is_flag=True, help="Copies of which the compound memory knows none.")
def main(
    library: Path,
    learner: str,
    parts: int,
    copies: int,
    support_size: str,
    threads: tuple[int, ...],
    repeats: int,
    strangers: bool,
) -> None:
    """Index the first rows of a library, copy its parts, and rank them all for the hERG example.

    Copies lie on the disk like parts of their own: the cache of no core holds two of them.
    """
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(shipped_model_path())
    if learner == "protonet":
        encoder = require_head_learner(checkpoint.learner).encoder
        prototypes = ProtoNet(encoder.config, ProtoNetConfig()).eval()
        prototypes.encoder = encoder
        checkpoint = replace(checkpoint, learner=prototypes)
    with EXAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    half = int(support_size) // 2
    rows = rows[21 - half : 21 + half]  # of each class as many: the file has 21 actives first
    support = build_support([row["smiles"] for row in rows], [row["label"] for row in rows])
    target = adapt_target(checkpoint, support)
    with tempfile.TemporaryDirectory(prefix="molmeta-index-") as folder, open_table(library) as t:
        first = _FirstRows(t, parts * ROWS)
        head = require_head_learner(checkpoint.learner)
        start = time.process_time()
        build_index(Path(folder) / "first", first, head)
        building = time.process_time() - start
        index = _copied(LibraryIndex(Path(folder) / "first"), copies, strangers)
        n, n_bytes = index.manifest.n_rows, sum(part.n_bytes for part in index.manifest.parts)
        click.echo(f"make: {1e6 * building / len(first.rows):.0f} µs of CPU a row")
        click.echo(f"size: {n:,} rows, {n_bytes / n:.0f} bytes each, {_used(index) / n:.0f} ranked")
        start = time.process_time()
        screen(target, first.rows[:DIRECT_ROWS], _Kept())
        direct = (time.process_time() - start) / min(DIRECT_ROWS, len(first.rows))
        click.echo(f"from SMILES: {1e6 * direct:.0f} µs of CPU a row")
        for many in threads:
            wall, cpu = _measured(partial(_rank, target, index, many), repeats)
            click.echo(
                f"rank, {many} threads: {n / wall / 1e6:.2f} million rows/s; "
                f"{1e9 * cpu / n:.0f} ns of CPU a row, {direct * n / cpu:,.0f} times faster than "
                "from SMILES"
            )
            wall, cpu = _measured(partial(_read, index, many), repeats)
            click.echo(
                f"sum those bytes, {many} threads: {n / wall / 1e6:.2f} million rows/s; "
                f"{1e9 * cpu / n:.0f} ns of CPU a row"
            )


def _copied(index: LibraryIndex, copies: int, strangers: bool) -> LibraryIndex:
    """An index of so many copies of each part."""
    folder = index.folder.with_name("copies")
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    entries = index.manifest.parts * copies
    for number in range(len(entries)):
        source = part_path(index.folder, number % len(index.manifest.parts))
        if strangers:
            with safe_open(source, framework="pt") as file:
                metadata = file.metadata()
            arrays = load_file(source)
            arrays["keys"].random_(-(2**63), 2**63 - 1, generator=generator)
            save_file(arrays, part_path(folder, number), metadata)
        else:
            shutil.copy(source, part_path(folder, number))
    write_manifest(folder / INDEX, replace(index.manifest, parts=entries))
    return LibraryIndex(folder)


def _rank(target: TargetModel, index: LibraryIndex, threads: int) -> None:
    rank(target, index, _Kept(), top=1_000, threads=threads)


def _read(index: LibraryIndex, threads: int) -> None:
    """Sum the bytes that ranking looks at: what the memory allows at best."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda number: _sum(index.part(number)), range(len(index.manifest.parts))))


def _sum(part: Part) -> None:
    for array in _ranked(part):
        flat = array.view(-1).numpy().view(np.uint8)
        flat[: len(flat) // 8 * 8].view(np.uint64).sum()


def _ranked(part: Part) -> tuple[Tensor, ...]:
    """The arrays that ranking looks at."""
    counts = [getattr(part.counts, field.name) for field in fields(part.counts)]
    return (part.vectors, part.keys, part.changed, part.places, *counts)


def _used(index: LibraryIndex) -> int:
    """Bytes that ranking looks at."""
    return sum(
        array.nbytes
        for number in range(len(index.manifest.parts))
        for array in _ranked(index.part(number))
    )


def _measured(job: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Least seconds by the clock and of CPU, after a round that warms up; other work only adds."""
    times = []
    for _ in range(repeats + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        job()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in times[1:]), min(cpu for _, cpu in times[1:])


if __name__ == "__main__":
    main()
