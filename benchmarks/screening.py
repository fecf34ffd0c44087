"""Memory and speed of a long screen: `python -m benchmarks.screening --help`."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from itertools import cycle, islice, product
from pathlib import Path
from statistics import median

import click
import psutil  # type: ignore[import-untyped]
import torch

from molmeta.assays.outputs import open_output
from molmeta.assays.support import read_support
from molmeta.assays.tables import open_table
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.screening import CHUNK, NUMERIC, appended_columns, screen
from molmeta.screening.journal import Journal
from molmeta.screening.library import in_process
from molmeta.screening.workers import Workers
from molmeta.target import TargetModel, adapt_target

WARM_UP = 20
"""Chunks after which everything is loaded and every buffer has its size."""

_GROUPS = (
    *("(F)", "(Cl)", "(Br)", "(C)", "(CC)", "(OC)", "(C#N)", "(C(F)(F)F)"),
    *("(N(C)C)", "(O)", "(N)", "(C(C)C)", "(OCC)", "(SC)", "(C(=O)N)", "(S(C)(=O)=O)"),
)


def write_library(path: Path, n: int, n_distinct: int) -> None:
    """A CSV of `n` benzamides: `n_distinct`, over and over; at most 16 million are distinct."""
    smiles = (
        f"N{amine}C(=O)c1c{a}c{b}c{c}c{d}c1{e[1:-1]}"
        for amine, a, b, c, d, e in product(_GROUPS, repeat=6)
    )
    again = cycle(islice(smiles, n_distinct)) if n_distinct < n else smiles
    with path.open("w", encoding="utf-8") as file:
        file.write("id,smiles\n")
        file.writelines(f"{place:08d},{text}\n" for place, text in enumerate(islice(again, n)))


def resident() -> float:
    """Megabytes that this process and those it started hold in memory."""
    process = psutil.Process()
    processes = (process, *process.children(recursive=True))
    return sum(int(one.memory_info().rss) for one in processes) / 1e6


@click.command()
@click.option("--support", default="examples/herg_support.csv", show_default=True)
@click.option("--rows", type=click.IntRange(min=(WARM_UP + 1) * CHUNK), default=1_000_000)
@click.option("--distinct", type=click.IntRange(min=1), help="Molecules; then they come again.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--output", "name", default="scores.csv", show_default=True, help="Its form.")
@click.option("--top", type=click.IntRange(min=1))
def main(
    support: str, rows: int, distinct: int | None, workers: int, name: str, top: int | None
) -> None:
    """Screen ROWS molecules with the shipped model, as predict does; print time and memory."""
    torch.set_num_threads(1)
    with open_table(support) as table:
        target = adapt_target(load_checkpoint(shipped_model_path()), read_support(table))
    with tempfile.TemporaryDirectory() as folder:
        library, output = Path(folder) / "library.csv", Path(folder) / name
        write_library(library, rows, distinct or rows)
        start = time.perf_counter()
        sizes = _sizes(target, library, output, workers, top)
        seconds = time.perf_counter() - start
    click.echo(f"{rows} rows, {workers} process(es): {seconds:.0f} s, {rows / seconds:.0f} rows/s")
    rest = sizes[WARM_UP:]
    tenth = -(-len(rest) // 10)
    early, late = median(rest[:tenth]), median(rest[-tenth:])
    click.echo(f"memory after {WARM_UP} chunks: {early:.0f} MB (median of the first tenth)")
    click.echo(f"growth to the last tenth: {late - early:+.1f} MB")
    click.echo(f"the most at any time: {max(rest) - early:+.1f} MB")


def _sizes(
    target: TargetModel, library: Path, output: Path, workers: int, top: int | None
) -> list[float]:
    """Megabytes after each chunk."""
    sizes: list[float] = []
    with ExitStack() as stack:
        table = stack.enter_context(open_table(library))
        names = appended_columns(table.columns, ranked=top is not None)
        header = (*table.columns, *names.values())
        numeric = [names[name] for name in NUMERIC if name in names]
        out = stack.enter_context(open_output(output, header, numeric=numeric))
        journal = stack.enter_context(Journal(output, target))
        score_chunks = in_process(target)
        if workers > 1:
            score_chunks = stack.enter_context(Workers(target, workers)).score_chunks
        score_chunks = journal.over(score_chunks)

        def measure(_: int) -> None:
            sizes.append(resident())

        screen(target, table, out, top=top, score_chunks=score_chunks, progress=measure)
    return sizes


if __name__ == "__main__":
    main()
