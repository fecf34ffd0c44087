"""A run that takes a second: a few assays of drugs, a small encoder. `python -m` trains it."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.registry import LEARNERS
from molmeta.training.config import OuterLoopConfig, RunConfig
from molmeta.training.outer_loop import train
from tests.molecules import DRUGS

ENCODER = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.1)
LOOP = OuterLoopConfig(
    steps=8,
    tasks_per_step=4,
    support_sizes=(8, 16),
    query_size=16,
    learning_rate=5e-3,
    warmup_steps=2,
    validate_every=4,
    validation_support_sizes=(8,),
    validation_runs=2,
)


def tiny_config(learner: str = "protonet", **loop: Any) -> RunConfig:
    """A run of `learner`, with some settings of the outer loop changed."""
    config = LEARNERS[learner].Config()
    return RunConfig(learner, config, encoder=ENCODER, training=replace(LOOP, **loop))


LONGER = tiny_config(steps=60, validate_every=30)


def learnable_store(molecules: MoleculeBatch, n_tasks: int = 6) -> AssayStore:
    """Assays in which a molecule is active when one of its descriptors is above the median."""
    values = molecules.descriptors.float()
    active = values > values.median(0).values
    # The descriptors that split the molecules most evenly.
    columns = (active.float().mean(0) - 0.5).abs().argsort(stable=True)[:n_tasks].tolist()
    tasks = [task(f"T{column}", active[:, column].float()) for column in columns]
    return AssayStore(tuple(tasks), molecules, {}, "1" * 64)


def task(name: str, labels: torch.Tensor, rows: torch.Tensor | None = None) -> Task:
    """A task over the molecules at `rows`; the first ones if None."""
    n = len(labels)
    return Task(
        assay_id=name,
        molecules=torch.arange(n) if rows is None else rows,
        labels=labels,
        log_values=torch.full((n,), torch.nan),
        relations=torch.zeros(n, dtype=torch.int8),
    )


def drug_store() -> AssayStore:
    """`learnable_store` of the drugs, for another process."""
    results = [read_smiles(smiles) for smiles in DRUGS]
    return learnable_store(featurize([r for r in results if isinstance(r, Molecule)]))


def main() -> None:
    """Train `LONGER` in the folder of the first argument."""
    torch.set_num_threads(1)
    store = drug_store()
    train(LONGER, store, store, Path(sys.argv[1]), torch.device("cpu"), allow_overlap=True)


if __name__ == "__main__":
    main()
