import os
from pathlib import Path

import pytest
import torch
from torch import nn

from molmeta.errors import CheckpointError, OutputError
from molmeta.training.state import (
    load_state,
    read_record,
    read_tensors,
    save_state,
    write_tensors,
)


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network after three steps, with an optimiser that remembers them."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    for _ in range(3):
        step(network, optimizer)
    return network, optimizer


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    network(torch.linspace(-1, 1, 15).view(5, 3)).square().mean().backward()
    optimizer.step()


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def are_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_restored_run_takes_the_same_next_steps_to_the_last_bit(tmp_path: Path):
    network, optimizer = trained(seed=0)
    record = {"step": 3, "best": float("-inf"), "run": {"sizes": [8, 16]}}
    save_state(tmp_path / "s", network, optimizer, record)
    other, other_optimizer = trained(seed=1)
    load_state(tmp_path / "s", other, other_optimizer)
    assert read_record(tmp_path / "s") == record
    for _ in range(3):
        assert are_equal(weights(network), weights(other))
        step(network, optimizer)
        step(other, other_optimizer)
    assert are_equal(weights(network), weights(other))


def test_a_state_is_nothing_but_the_state_file(tmp_path: Path):
    save_state(tmp_path / "s", *trained(0), {})
    save_state(tmp_path / "s", *trained(1), {})
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_refused_with_what_to_do(tmp_path: Path, share: float):
    path = tmp_path / "s"
    save_state(path, *trained(0), {})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="remove"):
        load_state(path, *trained(0))


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "foreign")
    for name in ("missing", "foreign"):
        with pytest.raises(CheckpointError, match=name):
            read_tensors(tmp_path / name)


def test_the_state_of_another_network_is_refused(tmp_path: Path):
    save_state(tmp_path / "s", *trained(0), {})
    other = nn.Linear(3, 5)
    with pytest.raises(CheckpointError, match="another learner"):
        load_state(tmp_path / "s", other, torch.optim.AdamW(other.parameters()))


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "s"
    write_tensors(path, {"x": torch.ones(2)}, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write_tensors(path, {"x": torch.ones(100_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_record(path) == {"step": 1}
    assert torch.equal(read_tensors(path)["x"], torch.ones(2))
    assert os.listdir(tmp_path) == ["s"]


def test_a_write_that_is_broken_off_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch):
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "s"
    write_tensors(path, {"x": torch.ones(2)}, {"step": 1})
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_tensors(path, {"x": torch.ones(3)}, {"step": 2})
    assert read_record(path) == {"step": 1}
    assert os.listdir(tmp_path) == ["s"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing" / "s", tmp_path / "file" / "s"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_tensors(path, {}, {})
