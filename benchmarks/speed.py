"""What molmeta takes beside its rivals, in the same run: `python -m benchmarks.speed --help`.

Rivals that the environment lacks are given by `--peers`, the Python of another one:

    python -m venv peers && peers/bin/pip install chemprop higher learn2learn torch_geometric
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from tqdm import tqdm

from benchmarks import (
    speed_adaptation,
    speed_intake,
    speed_library,
    speed_scaling,
    speed_screening,
    speed_training,
)
from benchmarks.speed_clock import Row

JOBS = ("intake", "prediction", "adaptation", "training", "scaling")


@click.command()
@click.option("--job", "jobs", type=click.Choice(JOBS), multiple=True, help="May be repeated; all.")
@click.option("--quick", is_flag=True, help="Small, without peers; exit with 1 if a guard breaks.")
@click.option(
    "--peers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Python with chemprop, learn2learn, higher.",
)
@click.option(
    "--library",
    type=click.Path(exists=True, path_type=Path),
    help="Molecules to time with. Default: products of common parts.",
)
@click.option("--rows", default=20_000, show_default=True, help="Of the table to be predicted.")
@click.option("--largest", default=100_000, show_default=True, help="Library for the scaling.")
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True)
@click.option("--plot", type=click.Path(path_type=Path), help="SVG file for the scaling.")
def main(
    jobs: tuple[str, ...],
    quick: bool,
    peers: Path | None,
    library: Path | None,
    rows: int,
    largest: int,
    repeats: int,
    plot: Path | None,
) -> None:
    """Print CPU time and memory beside the rivals': medians of runs in turn, on one thread."""
    torch.set_num_threads(1)
    if quick:
        rows, largest, repeats, peers = 1_000, 1_000, 3, None
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for job in tqdm(jobs or (JOBS[:-1] if quick else JOBS), unit="job", disable=None):
            if job == "intake":
                texts = speed_library.smiles(min(rows, 2_048), library)
                found += speed_intake.measure(texts, repeats)
            elif job == "prediction":
                few = min(repeats, 3)
                found += speed_screening.measure(rows, few, folder, peers, library)
            elif job == "adaptation":
                found += speed_adaptation.measure(3 * repeats)
            elif job == "training":
                n_tasks = 4 if quick else 16
                texts = speed_library.smiles(48 * n_tasks + 100, library)
                found += speed_training.measure(n_tasks, repeats, texts, folder, peers)
            else:
                _scaling(largest, repeats, folder, library, plot)
    click.echo(_table([row.cells() for row in found]))
    broken = [row for row in found if row.is_broken]
    if quick and broken:
        for row in broken:
            click.echo(
                f"{row.job}: {row.ratio:.2f} of {row.rival}, and at most {row.guard} is fine"
            )
        sys.exit(1)


def _scaling(
    largest: int, repeats: int, folder: Path, library: Path | None, plot: Path | None
) -> None:
    growths = speed_scaling.measure(largest, repeats, folder, library)
    for growth in growths:
        click.echo(growth.line())
    if plot is not None:
        plot.write_text(speed_scaling.figure(growths), encoding="utf-8")


def _table(lines: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as they must be."""
    header = ("job", "molmeta", "beside", "theirs", "ratio", "goal", "met")
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *lines)
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
