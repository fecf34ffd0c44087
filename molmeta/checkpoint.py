"""Learner to one file and back, with where it comes from and what it has seen.

A file of kind `learner` holds a meta-trained learner. One of kind `target` holds a user's support
set as well, so that it alone scores molecules: the learner adapts to the stored support again,
which takes well under a second and gives the same bits.

How the bytes lie in the file and are guarded is told in `sealed_file`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import reprlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.chem.stored import batch_from_arrays
from molmeta.chem.vocabulary import FEATURES_VERSION
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import CheckpointError, MolmetaError, OutputError
from molmeta.learners.base import Learner
from molmeta.learners.memory import CompoundMemory, memory_from_arrays
from molmeta.learners.registry import LEARNERS
from molmeta.sealed_file import SealedFile, read_sealed, write_sealed
from molmeta.typed_json import from_json

FORMAT_VERSION = 2
"""Raised when a file of the version before can no longer be read as it stands."""

MAX_LAYERS = 64
MAX_SETTING = 65_536
"""No model has a larger whole number among its settings; a forged file could exhaust the memory."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a learner comes from: enough to train it again."""

    data: str
    """Name of the meta-train data."""
    licence: str
    """Of that data."""
    data_sha256: tuple[str, ...]
    """Of each data file."""
    seed: int
    steps: int
    """Of the outer loop."""
    code_version: str
    created: str
    """Date, as the caller writes it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a model file holds."""

    learner: Learner
    """In evaluation mode when it was loaded."""
    provenance: Provenance
    metrics: dict[str, float]
    """What was measured for the learner, by name."""
    seen_keys: Tensor
    """[n], int64, ascending: identity keys of the meta-train molecules; may be empty."""
    support: LabeledMolecules | MeasuredMolecules | None = None
    """The compounds measured on the target; only in a file of kind `target`."""
    support_smiles: tuple[str, ...] = ()
    """The support's molecules as text, in its order."""
    sha256: str = ""
    """Of the file it was loaded from; empty before."""


@dataclass(frozen=True, slots=True)
class _Document:
    """The JSON document of a model file."""

    format: Literal["molmeta"]
    format_version: int
    kind: Literal["learner", "target"]
    molmeta_version: str
    features_version: int
    learner: str
    """Name in LEARNERS."""
    learner_config: dict[str, Any]
    encoder_config: dict[str, Any]
    provenance: Provenance
    metrics: dict[str, float]
    support_smiles: tuple[str, ...]


def shipped_model_path() -> Path:
    """Where the model that comes with the package lies.

    Raises:
        CheckpointError: this installation has none.
    """
    path = Path(str(importlib.resources.files("molmeta").joinpath("models", "default.molmeta")))
    if not path.is_file():
        raise CheckpointError(
            f"This installation of molmeta has no model at {path}: "
            "install molmeta again, or name a model file of your own."
        )
    return path


def save_checkpoint(
    path: Path, checkpoint: Checkpoint, *, half: bool = False, overwrite: bool = False
) -> None:
    """Write `checkpoint` to `path`, whole or not at all.

    Args:
        path: the new file; its folder must exist.
        checkpoint: what to write; `sha256` is left out of account.
        half: store the weight matrices as float16, which halves the file and rounds the weights
            to 11 bits; vectors and scalars, which are few, stay as they are.
        overwrite: replace an existing file.

    Raises:
        OutputError: the file exists, cannot be written, or could not be loaded again (weights
            that are NaN, for example).
    """
    learner: Any = checkpoint.learner
    # A baseline has no encoder.
    encoder = learner.encoder.config if hasattr(learner, "encoder") else EncoderConfig()
    support = checkpoint.support
    document = _Document(
        format="molmeta",
        format_version=FORMAT_VERSION,
        kind="learner" if support is None else "target",
        molmeta_version=_molmeta_version(),
        features_version=FEATURES_VERSION,
        learner={kind: name for name, kind in LEARNERS.items()}[type(learner)],
        learner_config=asdict(learner.config),
        encoder_config=asdict(encoder),
        provenance=checkpoint.provenance,
        metrics=checkpoint.metrics,
        support_smiles=checkpoint.support_smiles,
    )
    tensors = {
        f"learner.{name}": weight.half() if half and _is_matrix(weight) else weight
        for name, weight in learner.state_dict().items()
    }
    tensors["seen_keys"] = torch.unique(checkpoint.seen_keys)
    if learner.memory is not None:
        tensors |= {
            f"memory.{field.name}": getattr(learner.memory, field.name)
            for field in fields(CompoundMemory)
        }
    if support is not None:
        arrays = {**support.molecules.tensors(), **_measured(support)}
        tensors |= {f"support.{name}": array for name, array in arrays.items()}
    on_cpu = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
    content = SealedFile(asdict(document), on_cpu, sha256="")
    try:
        _open(content, "cpu", "torch")
    except MolmetaError as refusal:
        raise OutputError(
            f"{path} was not written, because it could not be used: {refusal}"
        ) from refusal
    write_sealed(path, content.document, content.tensors, overwrite=overwrite)


def load_checkpoint(
    path: Path,
    *,
    device: torch.device | str = "cpu",
    backend: Backend = "torch",
    memory: bool = True,
) -> Checkpoint:
    """The checkpoint at `path`, with its learner in evaluation mode and all tensors on `device`.

    Args:
        path: of a model file.
        device: for the learner, the support and the keys; a compound memory stays on the CPU.
        backend: who passes messages in the encoder.
        memory: keep the compound memory where the file has one; without it the learner judges
            every compound by its structure alone.

    Raises:
        CheckpointError: the file is damaged, forged, not a molmeta model, or one of another
            version; with what to do.
    """
    try:
        checkpoint = _open(read_sealed(path), device, backend)
    except MolmetaError as refusal:
        raise CheckpointError(f"{path} cannot be used as a model: {refusal}") from refusal
    if not memory:
        checkpoint.learner.memory = None
    return checkpoint


def _molmeta_version() -> str:
    try:
        return importlib.metadata.version("molmeta")
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout"


def _is_matrix(weight: Tensor) -> bool:
    return weight.dtype == torch.float32 and weight.ndim > 1


def _open(content: SealedFile, device: torch.device | str, backend: Backend) -> Checkpoint:
    document = _document(content.document)
    parts: dict[str, dict[str, Tensor]] = {"learner": {}, "seen_keys": {}, "memory": {}}
    if document.kind == "target":
        parts["support"] = {}
    for name, tensor in content.tensors.items():
        part, _, rest = name.partition(".")
        if part not in parts:
            raise CheckpointError(f"{reprlib.repr(name)} is no tensor of a {document.kind}.")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"its tensor {reprlib.repr(name)} holds NaN or infinity. Train it again."
            )
        parts[part][rest] = tensor
    learner = _learner(document, parts["learner"], backend).to(device)
    if parts["memory"]:
        learner.memory = memory_from_arrays(parts["memory"])
    support = None
    if document.kind == "target":
        support = _support(parts["support"], len(document.support_smiles), device)
    return Checkpoint(
        learner=learner,
        provenance=document.provenance,
        metrics=document.metrics,
        seen_keys=_seen_keys(parts["seen_keys"]).to(device),
        support=support,
        support_smiles=document.support_smiles,
        sha256=content.sha256,
    )


def _document(values: dict[str, Any]) -> _Document:
    # Before all else: another version may have other entries.
    version, writer = values.get("format_version"), reprlib.repr(values.get("molmeta_version"))
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        advice = "Upgrade molmeta" if newer else "Use an older molmeta, or train it again"
        raise CheckpointError(
            f"it has format version {reprlib.repr(version)} (written by molmeta {writer}), and "
            f"this molmeta reads version {FORMAT_VERSION}. {advice}."
        )
    document: _Document = from_json(values, _Document, "its description")
    if document.features_version != FEATURES_VERSION:
        raise CheckpointError(
            f"it was trained on molecule features of version {document.features_version}, and "
            f"this molmeta computes version {FEATURES_VERSION}. Use molmeta {writer}, which wrote "
            "it, or train it again."
        )
    if (document.kind == "target") != bool(document.support_smiles):
        raise CheckpointError(
            f"it is of kind {document.kind} and names {len(document.support_smiles)} support "
            "compounds: a target has some, a learner none."
        )
    return document


class _Unfilled(TorchFunctionMode):
    """Leaves new parameters as they are: on `meta`, to fill them imports torch._dynamo for 2 s."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return (kwargs or {}).get("tensor")
        return func(*args, **(kwargs or {}))


def _learner(document: _Document, stored: dict[str, Tensor], backend: Backend) -> Learner:
    """The learner in evaluation mode, on CPU."""
    kind = LEARNERS.get(document.learner)
    if kind is None:
        raise CheckpointError(
            f"its method {reprlib.repr(document.learner)} is unknown here; known are "
            f"{', '.join(LEARNERS)}. Upgrade molmeta."
        )
    for name, value in [*document.encoder_config.items(), *document.learner_config.items()]:
        largest = MAX_LAYERS if "layers" in name else MAX_SETTING
        if isinstance(value, int) and abs(value) > largest:
            raise CheckpointError(
                f"its setting {name} is {reprlib.repr(value)}; at most {largest} is read."
            )
    encoder = from_json(document.encoder_config, EncoderConfig, "its encoder_config")
    config = from_json(document.learner_config, kind.Config, "its learner_config")
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
    for name, like in expected.items():
        weight = stored[name].float() if stored[name].dtype == torch.float16 else stored[name]
        if weight.dtype != like.dtype or weight.shape != like.shape:
            raise CheckpointError(
                f"its weight {name!r} is {weight.dtype} of shape {list(weight.shape)}; its "
                f"settings ask for {like.dtype} of shape {list(like.shape)}. Train it again."
            )
        weights[name] = weight
    learner.load_state_dict(weights, assign=True)
    return learner.eval()


def _measured(support: LabeledMolecules | MeasuredMolecules) -> dict[str, Tensor]:
    """What was measured of a support, by field."""
    if isinstance(support, MeasuredMolecules):
        return {"values": support.values, "relations": support.relations}
    return {"labels": support.labels}


def _support(
    stored: dict[str, Tensor], n: int, device: torch.device | str
) -> LabeledMolecules | MeasuredMolecules:
    names = ("values", "relations") if "values" in stored else ("labels",)
    measured = [stored.pop(name, torch.empty(0)) for name in names]
    for name, array in zip(names, measured, strict=True):
        dtype = torch.int8 if name == "relations" else torch.float32
        if array.dtype != dtype or array.shape != (n,):
            raise CheckpointError(
                f"it has {name} of shape {list(array.shape)} and type {array.dtype} for {n} "
                f"support compounds; it should have one {str(dtype).removeprefix('torch.')} each."
            )
    molecules = batch_from_arrays(stored, n).to(device)
    if len(measured) == 1:
        labels = measured[0]
        if not bool(((labels == 0) | (labels == 1)).all()):
            raise CheckpointError("its support labels are not all 0 or 1.")
        return LabeledMolecules(molecules, labels.to(device))
    values, relations = measured
    if not bool((relations.abs() <= 1).all()):
        raise CheckpointError("its support relations are not all -1, 0 or 1.")
    return MeasuredMolecules(molecules, values.to(device), relations.to(device))


def _seen_keys(stored: dict[str, Tensor]) -> Tensor:
    keys = stored.get("")
    if keys is None or len(stored) != 1 or keys.dtype != torch.int64 or keys.ndim != 1:
        raise CheckpointError("it lacks the list of molecules that it was trained on.")
    if bool((keys[1:] <= keys[:-1]).any()):
        raise CheckpointError("the molecules that it was trained on are not in ascending order.")
    return keys
