"""The device that a name means: auto, cpu, cuda or cuda:1."""

import os
import re

import torch

from molmeta.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device called `name`; `auto` is this process's GPU where there is one, else the CPU.

    Raises:
        ConfigError: the name is none of auto, cpu, cuda and cuda:N, or there is no such GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"cuda(?::(\d+))?", name)
    if match is None:
        raise ConfigError(f"There is no device {name!r}: use auto, cpu, cuda or cuda:N.")
    # torchrun tells each process of a group which GPU is its own.
    index = int(match[1] or os.environ.get("LOCAL_RANK", "0"))
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= n_gpus:
        found = (
            f"There is no GPU {index}, only {n_gpus}" if n_gpus else "There is no usable GPU here"
        )
        raise ConfigError(f"{found}: use --device cpu or --device auto.")
    return torch.device("cuda", index)
