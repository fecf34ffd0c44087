"""The learner of a model file, from its settings and its weights, neither of which is trusted."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import CheckpointError
from molmeta.learners.base import Learner
from molmeta.learners.registry import LEARNERS
from molmeta.typed_json import from_json

MAX_LAYERS = 64
MAX_SETTING = 65_536
"""No model has a larger whole number among its settings; a forged file could exhaust the memory."""


class _Unfilled(TorchFunctionMode):
    """Leaves new parameters as they are: on `meta`, to fill them imports torch._dynamo for 2 s."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return (kwargs or {}).get("tensor")
        return func(*args, **(kwargs or {}))


def learner_from_arrays(
    name: str,
    encoder_config: Mapping[str, Any],
    learner_config: Mapping[str, Any],
    stored: Mapping[str, Tensor],
    backend: Backend,
) -> Learner:
    """The learner of a model file, in evaluation mode on the CPU.

    Args:
        name: in LEARNERS.
        encoder_config: values of JSON.
        learner_config: values of JSON.
        stored: its weights by name, finite; matrices may be float16.
        backend: who passes messages in the encoder.

    Raises:
        CheckpointError: what makes no learner, after the words "cannot be used as a model:".
    """
    kind = LEARNERS.get(name)
    if kind is None:
        raise CheckpointError(
            f"its method {reprlib.repr(name)} is unknown here; known are "
            f"{', '.join(LEARNERS)}. Upgrade molmeta."
        )
    for setting, value in [*encoder_config.items(), *learner_config.items()]:
        largest = MAX_LAYERS if "layers" in setting else MAX_SETTING
        if isinstance(value, int) and abs(value) > largest:
            raise CheckpointError(
                f"its setting {setting} is {reprlib.repr(value)}; at most {largest} is read."
            )
    encoder = from_json(encoder_config, EncoderConfig, "its encoder_config")
    config = from_json(learner_config, kind.Config, "its learner_config")
    try:
        # On `meta` a network has shapes and no memory, whatever sizes the file asks for.
        with torch.device("meta"), _Unfilled():
            learner = kind(encoder, config, backend)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"its settings make no network: {error}") from error
    expected = learner.state_dict()
    if set(stored) != set(expected):
        missing, unknown = set(expected) - set(stored), set(stored) - set(expected)
        raise CheckpointError(
            f"its weights are not those of its settings: {len(missing)} are missing and "
            f"{len(unknown)} unknown, such as {reprlib.repr(min(missing | unknown))}. "
            "Train it again."
        )
    weights = {}
    for key, like in expected.items():
        weight = stored[key].float() if stored[key].dtype == torch.float16 else stored[key]
        if weight.dtype != like.dtype or weight.shape != like.shape:
            raise CheckpointError(
                f"its weight {key!r} is {weight.dtype} of shape {list(weight.shape)}; its "
                f"settings ask for {like.dtype} of shape {list(like.shape)}. Train it again."
            )
        weights[key] = weight
    learner.load_state_dict(weights, assign=True)
    return learner.eval()
