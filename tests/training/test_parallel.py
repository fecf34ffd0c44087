"""Two processes on one step must do what one does."""

import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.multiprocessing

from molmeta.assays.episodes import EpisodeSampler
from molmeta.errors import ConfigError
from molmeta.learners.base import Learner
from molmeta.learners.deepkernel import DeepKernel
from molmeta.training import outer_loop
from molmeta.training.config import RunConfig
from molmeta.training.outer_loop import train
from molmeta.training.parallel import Group, joined_group
from molmeta.training.run import BEST, STATE, build_learner
from molmeta.training.state import read_record, read_tensors
from tests.training.tiny import ENCODER, drug_store, tiny_config

CPU = torch.device("cpu")
# Five tasks cannot be halved: the shares differ.
N_TASKS = 5


def without_dropout(learner: str) -> RunConfig:
    config = tiny_config(learner, tasks_per_step=N_TASKS)
    return replace(config, encoder=replace(ENCODER, dropout=0.0))


def seeded_learner(name: str) -> Learner:
    torch.manual_seed(0)
    return build_learner(without_dropout(name)).train()


def sampler() -> EpisodeSampler:
    return EpisodeSampler(drug_store(), support_sizes=(8,), query_size=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind after `in_group`."""
    folder = tmp_path_factory.mktemp("two")
    works = (save_gradients, train_together, train_until_one_is_stopped)
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in works]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in sockets]
    torch.multiprocessing.spawn(in_group, (works, ports, folder), nprocs=2)
    return folder


def in_group(rank: int, works: Sequence[Callable], ports: Sequence[int], folder: Path) -> None:
    torch.set_num_threads(1)
    for work, port in zip(works, ports, strict=True):
        # As torchrun sets them.
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        work(rank, folder)


def save_gradients(rank: int, folder: Path) -> None:
    with joined_group(CPU) as group:
        assert (group.rank, group.size, group.leads) == (rank, 2, rank == 0)
        assert group.sum(rank + 1) == 3
        assert group.max(rank + 1) == 2
        for name in ("deepkernel", "maml"):
            learner = seeded_learner(name)
            episodes = sampler().draw(0, N_TASKS, group.rank, group.size)
            (learner.meta_loss(episodes) * (len(episodes) / N_TASKS)).backward()
            group.add_gradients(learner)
            gradients = {n: p.grad for n, p in learner.named_parameters()}
            torch.save(gradients, folder / f"{name}.{rank}")


def train_together(rank: int, folder: Path) -> None:
    store = drug_store()
    train(without_dropout("deepkernel"), store, store, folder / "trained", CPU, allow_overlap=True)


def train_until_one_is_stopped(rank: int, folder: Path) -> None:
    store = drug_store()
    original, calls = DeepKernel.meta_loss, iter(range(100))

    def meta_loss(self, episodes):
        if next(calls) == 2 and rank == 1:
            signal.raise_signal(signal.SIGTERM)
        return original(self, episodes)

    DeepKernel.meta_loss = meta_loss
    with pytest.raises(SystemExit) as caught:
        train(
            without_dropout("deepkernel"), store, store, folder / "stopped", CPU, allow_overlap=True
        )
    (folder / f"left-{rank}").write_text(str(caught.value.code))


@pytest.mark.parametrize("name", ["deepkernel", "maml"])
def test_the_gradient_of_two_processes_is_that_of_one(name: str, folder: Path):
    learner = seeded_learner(name)
    learner.meta_loss(sampler().draw(0, N_TASKS)).backward()
    gradients = [torch.load(folder / f"{name}.{rank}") for rank in (0, 1)]
    for parameter, value in learner.named_parameters():
        if not value.requires_grad:
            assert gradients[0][parameter] is None
            continue
        assert torch.equal(gradients[0][parameter], gradients[1][parameter])
        # Without a memory its settings get no gradient; the group makes that a zero.
        expected = torch.zeros_like(value) if value.grad is None else value.grad
        torch.testing.assert_close(
            gradients[0][parameter], expected, atol=1e-6, rtol=1e-4, msg=parameter
        )


def test_the_weights_and_losses_of_two_processes_are_those_of_one(folder: Path, tmp_path: Path):
    store = drug_store()
    train(without_dropout("deepkernel"), store, store, tmp_path, CPU, allow_overlap=True)
    one, two = read_tensors(tmp_path / BEST), read_tensors(folder / "trained" / BEST)
    assert one.keys() == two.keys()
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, atol=1e-4, rtol=1e-3, msg=name)
    bests = [read_record(place / STATE)["best"] for place in (tmp_path, folder / "trained")]
    assert bests[0] == pytest.approx(bests[1], abs=1e-3)


def test_a_signal_to_one_of_two_processes_stops_both_after_the_same_step(folder: Path):
    assert [(folder / f"left-{rank}").read_text() for rank in (0, 1)] == ["143", "143"]
    assert read_record(folder / "stopped" / STATE)["step"] == 3


def test_more_processes_than_tasks_are_refused(learnable, tmp_path: Path, monkeypatch):
    @contextmanager
    def two(device):
        yield Group(device, rank=0, size=2)

    monkeypatch.setattr(outer_loop, "joined_group", two)
    with pytest.raises(ConfigError, match="tasks_per_step"):
        train(tiny_config(tasks_per_step=1), learnable, None, tmp_path / "run", CPU)
    assert not (tmp_path / "run").exists()


def test_a_plain_start_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_group(CPU) as group:
        assert (group.rank, group.size, group.leads) == (0, 1, True)
        assert group.sum(1.5) == group.max(1.5) == 1.5
