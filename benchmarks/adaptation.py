"""How long adapting takes once the model is loaded: `python -m benchmarks.adaptation`."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from statistics import median

import click
import torch

from molmeta.assays.support import build_support
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.target import adapt_target

EXAMPLE = Path(__file__).parents[1] / "examples" / "herg_support.csv"


@click.command()
@click.option("--repeats", type=click.IntRange(min=1), default=20, show_default=True)
def main(repeats: int) -> None:
    """Print median CPU milliseconds on one thread for 16 compounds of the hERG example."""
    torch.set_num_threads(1)
    with EXAMPLE.open(newline="", encoding="utf-8") as file:
        # Eight of each class: the file has the actives first, 21 of them.
        rows = list(csv.DictReader(file))[13:29]
    checkpoint = load_checkpoint(shipped_model_path())
    adapting, scoring = [], []
    for _ in range(repeats + 1):
        start = time.process_time()
        support = build_support([row["smiles"] for row in rows], [row["label"] for row in rows])
        target = adapt_target(checkpoint, support)
        ready = time.process_time()
        target.score(["CC(=O)Nc1ccc(O)cc1"])
        adapting.append(ready - start)
        scoring.append(time.process_time() - ready)
    # The first round warms up.
    click.echo(f"adapt to {len(rows)} compounds, from SMILES: {1e3 * median(adapting[1:]):.0f} ms")
    click.echo(f"score one molecule, from SMILES: {1e3 * median(scoring[1:]):.0f} ms")


if __name__ == "__main__":
    main()
