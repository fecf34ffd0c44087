"""Every cut, and flipped bits, of the files that molmeta reads: `python -m benchmarks.bit_flips`.

A model or a saved state that was cut short or altered must be refused with a sentence, and a cache
of featurised molecules made again.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import click
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from molmeta.assays.read_texts import kept
from molmeta.assays.store import open_store
from molmeta.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import CheckpointError
from molmeta.learners.registry import LEARNERS
from molmeta.training.state import read_tensors, save_state

Notices = Callable[[], bool]
"""Whether the reader of a file noticed that it is damaged."""

TINY = EncoderConfig(graph_layers=1, graph_width=2, ecfp_bits=4, hidden=2, dim=2)
PROVENANCE = Provenance(
    data="none", licence="none", data_sha256=(), seed=0, steps=0, code_version="0", created="never"
)


def model_file(folder: Path) -> tuple[Path, Notices]:
    """A meta-trained learner as it is published."""
    path = folder / "model.molmeta"
    learner = LEARNERS["protonet"](TINY, LEARNERS["protonet"].Config())
    save_checkpoint(path, Checkpoint(learner, PROVENANCE, {"auprc": 0.5}, torch.arange(3)))
    return path, lambda: _is_refused(lambda: load_checkpoint(path), path)


def state_file(folder: Path) -> tuple[Path, Notices]:
    """The state of a run between two steps."""
    path = folder / "state.safetensors"
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_state(path, network, optimizer, {"step": 1})
    return path, lambda: _is_refused(lambda: read_tensors(path), path)


def cache_file(folder: Path) -> tuple[Path, Notices]:
    """The featurised molecules beside a file of assays."""
    rows = {"assay_id": ["A"] * 3, "smiles": ["CCO", "C(", "CN"], "label": [1, 0, 0]}
    pq.write_table(pa.table(rows), folder / "assays.parquet")
    sha256 = open_store(folder / "assays.parquet", workers=1).sha256
    (path,) = folder.glob("assays.*.safetensors")
    return path, lambda: kept(path, sha256) is None


FILES: dict[str, Callable[[Path], tuple[Path, Notices]]] = {
    "model": model_file,
    "state": state_file,
    "cache": cache_file,
}


def cuts(whole: bytes) -> Iterator[bytes]:
    """`whole` cut short at every place."""
    return (whole[:size] for size in range(len(whole)))


def flips(whole: bytes, n: int, random: Random) -> Iterator[bytes]:
    """`whole` with one bit turned over, `n` times."""
    for _ in range(n):
        flipped = bytearray(whole)
        flipped[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        yield bytes(flipped)


def unnoticed(path: Path, notices: Notices, damaged: Iterator[bytes]) -> int:
    """How many of the damaged contents of the file at `path` its reader took for good."""
    whole = path.read_bytes()
    assert not notices(), "the whole file must be read"
    missed = 0
    for content in damaged:
        path.write_bytes(content)
        missed += not notices()
    path.write_bytes(whole)
    return missed


def _is_refused(read: Callable[[], object], path: Path) -> bool:
    try:
        read()
    except CheckpointError as refusal:
        sentence = str(refusal)
        return sentence.startswith(str(path)) and sentence.endswith(".") and "\n" not in sentence
    return False


@click.command()
@click.option("--n", type=click.IntRange(min=1), default=10_000, show_default=True, help="Flips.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(n: int, seed: int) -> None:
    """Print how many of the cuts and of N flipped bits went unnoticed; fail if any did."""
    torch.manual_seed(seed)
    warnings.simplefilter("ignore")
    all_missed = 0
    for name, make in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            path, notices = make(Path(folder))
            whole = path.read_bytes()
            missed = unnoticed(path, notices, cuts(whole))
            flipped = unnoticed(path, notices, flips(whole, n, Random(seed)))
        click.echo(
            f"{name}: of {len(whole)} cuts {missed} unnoticed, of {n} flipped bits {flipped}"
        )
        all_missed += missed + flipped
    raise SystemExit(all_missed > 0)


if __name__ == "__main__":
    main()
