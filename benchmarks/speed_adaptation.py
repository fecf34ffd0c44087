"""From a few measured compounds to a model that is ready to score, once the learner is loaded."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from rdkit import Chem

from benchmarks import speed_library
from benchmarks.speed_clock import Row, medians
from benchmarks.speed_intake import PARSER
from benchmarks.speed_screening import SUPPORT
from molmeta.assays.support import build_support
from molmeta.checkpoint import Checkpoint, load_checkpoint, shipped_model_path
from molmeta.learners.base import HeadLearner
from molmeta.learners.maml import MAML, MAMLConfig
from molmeta.target import TargetModel, adapt_target

MAML_STEPS = 5
_MANY = 512
"""Molecules to be scored at once."""


def measure(repeats: int) -> list[Row]:
    """Sixteen compounds of the hERG example, from SMILES, to the shipped model and to MAML."""
    with SUPPORT.open(newline="", encoding="utf-8") as file:
        # Eight of each class: the file has the actives first, 21 of them.
        rows = list(csv.DictReader(file))[13:29]
    texts, labels = ([row[name] for row in rows] for name in ("smiles", "label"))
    shipped = load_checkpoint(shipped_model_path())
    ready = adapt_target(shipped, build_support(texts, labels))
    many = speed_library.smiles(_MANY)
    jobs: dict[str, Callable[[], object]] = {
        "head": _adapting(shipped, texts, labels),
        "maml": _adapting(_maml(shipped), texts, labels),
        "score": lambda: ready.score([texts[0]]),
    }
    # By themselves, because they leave nothing of the others in the cache.
    scoring: dict[str, Callable[[], object]] = {
        "many": lambda: ready.score(many),
        PARSER: lambda: list(map(Chem.MolFromSmiles, many)),
    }
    seconds = medians(jobs, repeats) | medians(scoring, repeats)
    times = {name: 1e3 * each for name, each in seconds.items()}
    return [
        Row("adapt the shipped model to 16 SMILES", times["head"], "ms", "the limit", 10, goal=1),
        Row(f"adapt MAML, {MAML_STEPS} steps", times["maml"], "ms", "the limit", 60, goal=1),
        Row(
            *("adapt the shipped model to 16 SMILES", times["head"], "ms"),
            *(f"MAML, {MAML_STEPS} steps", times["maml"]),
            guard=0.7,
        ),
        Row("score one SMILES", times["score"], "ms", "adapting", times["head"], guard=1),
        Row(f"score {_MANY:,} SMILES", times["many"], "ms", PARSER, times[PARSER], guard=5),
    ]


def by_support_size(
    sizes: Sequence[int], texts: Sequence[str], repeats: int
) -> dict[str, dict[int, float]]:
    """CPU seconds by support size, of the shipped model and of MAML."""
    shipped = load_checkpoint(shipped_model_path())
    labels = [str(i % 2) for i in range(len(texts))]
    checkpoints = {"shipped model": shipped, f"MAML, {MAML_STEPS} steps": _maml(shipped)}
    jobs: dict[str, Callable[[], object]] = {
        f"{name}|{size}": _adapting(checkpoint, texts[:size], labels[:size])
        for name, checkpoint in checkpoints.items()
        for size in sizes
    }
    times = medians(jobs, repeats)
    return {name: {size: times[f"{name}|{size}"] for size in sizes} for name in checkpoints}


def _adapting(
    checkpoint: Checkpoint, texts: Sequence[str], labels: Sequence[str]
) -> Callable[[], TargetModel]:
    return lambda: adapt_target(checkpoint, build_support(texts, labels))


def _maml(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with a MAML on the same encoder, weights included, in place of its learner."""
    learner = checkpoint.learner
    assert isinstance(learner, HeadLearner)
    torch.manual_seed(0)
    maml = MAML(learner.encoder.config, MAMLConfig(inner_steps=MAML_STEPS))
    maml.encoder.load_state_dict(learner.encoder.state_dict())
    return replace(checkpoint, learner=maml)
