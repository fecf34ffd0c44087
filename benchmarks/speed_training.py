"""A step of meta-training: MAML beside other libraries, as one loop and beside cheaper learners."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import speed_peer_maml
from benchmarks.speed_clock import ONE_THREAD, Row, medians
from molmeta.assays.episodes import EpisodeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.learners.base import Learner
from molmeta.learners.maml import ANIL, MAML, ANILConfig, MAMLConfig
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig

SUPPORT, QUERY, STEPS = 16, 32, speed_peer_maml.STEPS
_ROOT = Path(__file__).parents[1]


def measure(
    n_tasks: int, repeats: int, texts: Sequence[str], folder: Path, peers: Path | None
) -> list[Row]:
    """`n_tasks` tasks of 16 + 32 molecules a step, 4 GINE layers of width 128, five inner steps."""
    episodes = draw(n_tasks, texts)
    learners = _learners()
    maml = learners["MAML"]
    assert isinstance(maml, MAML)
    jobs = {name: _step(learner, episodes) for name, learner in learners.items()}
    jobs["as one"] = lambda: _loss_of(maml.query_logits_as_one(episodes), episodes).backward()  # type: ignore[no-untyped-call]
    times = medians(jobs, repeats)
    rows = [
        Row(f"{name}, a step", times[name], "s", "MAML", times["MAML"], goal, guard)
        for name, goal, guard in (
            *(("MAML, first order", None, 0.9), ("ANIL", 1 / 5, 0.4), ("ProtoNet", 1 / 5, 0.4)),
        )
    ]
    rows.append(
        Row(*("MAML, a task at a time", times["MAML"], "s", "all tasks as one", times["as one"]))
    )
    found = _others(episodes, repeats, folder, peers)
    own = found.get("molmeta", {}).get("seconds", float("nan"))
    for name in speed_peer_maml.WAYS:
        one = found.get(name)
        seconds = None if one is None else one["seconds"]
        rows.append(Row("inner loop, second order", own, "s", name, seconds, goal=1 / 0.95))
        wrong = None if one is None else 1e-5
        error = float("nan") if one is None else one["gradient_error"]
        rows.append(Row(f"gradient beside that of {name}", error, "", "equal", wrong, goal=1))
    return rows


def by_tasks(counts: Sequence[int], texts: Sequence[str], repeats: int) -> dict[int, float]:
    """CPU seconds of a step of MAML by number of tasks."""
    maml = _learners()["MAML"]
    jobs = {str(n): _step(maml, draw(n, texts)) for n in counts}
    return {int(name): seconds for name, seconds in medians(jobs, repeats).items()}


def draw(n_tasks: int, texts: Sequence[str]) -> EpisodeBatch:
    """Tasks of different molecules, every second one active."""
    read = [one for one in map(read_smiles, texts) if isinstance(one, Molecule)]
    n = n_tasks * (SUPPORT + QUERY)
    if len(read) < n:
        raise ValueError(f"{n} molecules are needed, and {len(read)} can be read.")
    starts = torch.arange(n_tasks) * (SUPPORT + QUERY)
    return EpisodeBatch(
        molecules=featurize(read[:n]),
        labels=(torch.arange(n) % 2).float(),
        support=tuple(torch.arange(start, start + SUPPORT) for start in starts.tolist()),
        query=tuple(torch.arange(s + SUPPORT, s + SUPPORT + QUERY) for s in starts.tolist()),
        assay_ids=tuple(map(str, range(n_tasks))),
    )


def _learners() -> dict[str, Learner]:
    encoder = speed_peer_maml.ENCODER
    torch.manual_seed(0)
    return {
        "MAML": MAML(encoder, MAMLConfig(inner_steps=STEPS)).train(),
        "MAML, first order": MAML(encoder, MAMLConfig(inner_steps=STEPS, first_order=True)).train(),
        "ANIL": ANIL(encoder, ANILConfig(inner_steps=STEPS)).train(),
        "ProtoNet": ProtoNet(encoder, ProtoNetConfig()).train(),
    }


def _step(learner: Learner, episodes: EpisodeBatch) -> Callable[[], object]:
    return lambda: learner.meta_loss(episodes).backward()  # type: ignore[no-untyped-call]


def _loss_of(logits: list[torch.Tensor], episodes: EpisodeBatch) -> torch.Tensor:
    losses = [
        speed_peer_maml.error(of_task, episodes.labels[rows])
        for of_task, rows in zip(logits, episodes.query, strict=True)
    ]
    return torch.stack(losses).mean()


def _others(
    episodes: EpisodeBatch, repeats: int, folder: Path, peers: Path | None
) -> dict[str, dict[str, float]]:
    """What `speed_peer_maml` finds; nothing without peers."""
    if peers is None:
        return {}
    tasks = [
        {
            "support": episode.support.molecules.tensors(),
            "labels": episode.support.labels,
            "query": episode.query.molecules.tensors(),
            "query_labels": episode.query.labels,
        }
        for episode in episodes
    ]
    torch.save(tasks, folder / "tasks.pt")
    done = subprocess.run(
        [peers, "-m", "benchmarks.speed_peer_maml", folder / "tasks.pt", str(repeats)],
        capture_output=True,
        text=True,
        check=True,
        cwd=_ROOT,
        env={**os.environ, **ONE_THREAD},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
