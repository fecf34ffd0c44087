"""The state of a run between two steps, written so that a kill harms nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from molmeta.errors import CheckpointError, OutputError
from molmeta.sealed_file import content_sha256
from molmeta.whole_file import whole_file

_WEIGHT, _MOMENT = "weight.", "moment."


def save_state(
    path: Path, learner: nn.Module, optimizer: torch.optim.Optimizer, record: Mapping[str, Any]
) -> None:
    """Replace `path` in one move by the weights, the optimiser's moments and `record` (as JSON).

    Raises:
        OutputError: the folder cannot be written, or the disk is full; the old file is kept.
    """
    tensors = {_WEIGHT + name: t for name, t in learner.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"{_MOMENT}{index}.{name}": t for name, t in moments.items()}
    write_tensors(path, tensors, record)


def load_state(path: Path, learner: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Restore the weights and moments that `save_state` wrote.

    Raises:
        CheckpointError: the file is damaged or belongs to another learner.
    """
    tensors = read_tensors(path)
    weights = {n.removeprefix(_WEIGHT): t for n, t in tensors.items() if n.startswith(_WEIGHT)}
    moments: dict[int, dict[str, Tensor]] = {}
    try:
        for name, tensor in tensors.items():
            if name.startswith(_MOMENT):
                index, moment = name.removeprefix(_MOMENT).split(".", 1)
                moments.setdefault(int(index), {})[moment] = tensor
        learner.load_state_dict(weights)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} belongs to another learner: {error}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Replace `path` in one move by a safetensors file with `record` as JSON in its header.

    Raises:
        OutputError: the folder cannot be written, or the disk is full; the old file is kept.
    """
    from safetensors.torch import save

    stored = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    text = json.dumps(record)
    # One entry: safetensors writes several in an order that changes from file to file.
    sealed = json.dumps({"record": text, "sha256": content_sha256(text, stored)})
    data = save(stored, metadata={"sealed": sealed})
    try:
        with whole_file(path) as unfinished:
            unfinished.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors that `write_tensors` wrote.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    return _read(path)[0]


def read_record(path: Path) -> dict[str, Any]:
    """The record that `write_tensors` wrote.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            # Not opened on trial: opening a named pipe would wait for ever.
            raise ValueError("there is no file of that name")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.keys() == {"record"}:
            # A run that began before there was a digest.
            return tensors, dict(json.loads(metadata["record"]))
        sealed = json.loads(metadata["sealed"])
        if sealed["sha256"] != content_sha256(sealed["record"], tensors):
            raise ValueError("its sha256 does not match its contents")
        return tensors, dict(json.loads(sealed["record"]))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is missing or damaged ({error}). To train from the start, remove "
            f"{path.parent} or choose another folder."
        ) from error
