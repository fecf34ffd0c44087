"""kill -9 at random times while molecules are featurised, a learner trained and its file written.

`python -m benchmarks.kills --n 200`. A kill leaves each file old or whole, and the same work begun
again ends with the bytes of work that nobody disturbed.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

import click
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from molmeta.assays.store import open_store
from molmeta.checkpoint import Checkpoint, Provenance, save_checkpoint
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.registry import LEARNERS
from molmeta.training.config import OuterLoopConfig, RunConfig
from molmeta.training.outer_loop import train
from molmeta.training.run import BEST, STATE
from molmeta.training.state import read_record

ASSAYS, MODEL, RUN = "assays.parquet", "model.molmeta", "run"
SUBSTITUENTS = ("(F)", "(C(F)F)", "(C(=O)N)", "(C=O)", "(Cl)", "(C#N)")
OLD = b"the model that was there before"

CONFIG = RunConfig(
    learner="protonet",
    learner_config=LEARNERS["protonet"].Config(),
    encoder=EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8),
    training=OuterLoopConfig(
        steps=24,
        tasks_per_step=2,
        support_sizes=(8,),
        query_size=8,
        validate_every=4,
        validation_support_sizes=(8,),
        validation_runs=1,
    ),
)
PROVENANCE = Provenance(
    data="none", licence="none", data_sha256=(), seed=0, steps=24, code_version="0", created="never"
)


def lay_out(folder: Path) -> None:
    """Three assays of 72 molecules each, and a model to be replaced."""
    smiles = [f"{'C' * n}{a}c1ccc{b}cc1" for n in range(1, 7) for a in "NO" for b in SUBSTITUENTS]
    rows = [
        {"assay_id": name, "smiles": text, "label": int(mark in text)}
        for name, mark in (("fluorine", "F"), ("ether", "CO"), ("carbonyl", "=O"))
        for text in smiles
    ]
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / ASSAYS)
    (folder / MODEL).write_bytes(OLD)


def work(folder: Path) -> None:
    """Featurise, train, save; where it was killed before, go on."""
    torch.set_num_threads(1)
    store = open_store(folder / ASSAYS, workers=1)
    (folder / RUN).mkdir(exist_ok=True)
    learner = train(CONFIG, store, store, folder / RUN, torch.device("cpu"), allow_overlap=True)
    checkpoint = Checkpoint(learner, PROVENANCE, {}, torch.unique(store.molecules.keys))
    save_checkpoint(folder / MODEL, checkpoint, overwrite=True)


def results(folder: Path) -> dict[str, bytes]:
    """The files that must come out the same, by name."""
    names = (ASSAYS, MODEL, *(path.name for path in folder.glob("*.safetensors")))
    files = [*(folder / name for name in names), folder / RUN / STATE, folder / RUN / BEST]
    return {path.name: path.read_bytes() for path in files if path.exists()}


def flaws(folder: Path, expected: dict[str, bytes], *, finished: bool) -> list[str]:
    """What is neither as it was before nor as it will be; empty if all is well."""
    found = results(folder)
    if finished:
        left = [path.name for path in folder.rglob(".*")]
        differ = [name for name in expected if found.get(name) != expected[name]]
        return [f"{name} differs" for name in differ] + [f"{name} was left" for name in left]
    flawed = [
        f"{name} is broken"
        for name, content in found.items()
        if name not in (STATE, BEST) and content not in (expected[name], OLD)
    ]
    for name in {STATE, BEST} & set(found):
        read_record(folder / RUN / name)
    return flawed


def killed_after(folder: Path, seconds: float) -> bool:
    """Whether `work` was killed that long after its start; False if it ended before.

    Raises:
        RuntimeError: it failed by itself.
    """
    child = os.fork()
    if not child:
        try:
            work(folder)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                raise RuntimeError(f"the work failed with {os.waitstatus_to_exitcode(status)}")
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


@click.command()
@click.option("--n", type=click.IntRange(min=1), default=200, show_default=True, help="Kills.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(n: int, seed: int) -> None:
    """Print how N kills ended; the first flaw ends the run."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as place:
        undisturbed = Path(place) / "undisturbed"
        lay_out(undisturbed)
        started = time.monotonic()
        killed_after(undisturbed, seconds=600)
        longest = time.monotonic() - started
        expected = results(undisturbed)
        kills = rounds = 0
        while kills < n:
            folder = Path(place) / f"round{rounds}"
            lay_out(folder)
            patience = longest
            while killed_after(folder, random.uniform(0, patience)):
                kills += 1
                # On a machine that became slower, no run would ever get to its end.
                patience *= 1.05
                _demand(flaws(folder, expected, finished=False), kills)
            _demand(flaws(folder, expected, finished=True), kills)
            shutil.rmtree(folder)
            rounds += 1
    click.echo(
        f"{kills} kills in {rounds} runs of {longest:.1f} s: every file old or whole after each, "
        f"and {len(expected)} files of each run equal to those of the undisturbed one"
    )


def _demand(flawed: list[str], kills: int) -> None:
    if flawed:
        raise click.ClickException(f"after {kills} kills: {'; '.join(flawed)}")


if __name__ == "__main__":
    main()
