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

from molmeta.chem.vocabulary import FEATURES_VERSION
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import CheckpointError, MolmetaError, OutputError
from molmeta.learner_weights import learner_from_arrays
from molmeta.learners.base import Learner
from molmeta.learners.memory import CompoundMemory, memory_from_arrays
from molmeta.learners.registry import LEARNERS
from molmeta.sealed_file import SealedFile, read_sealed, write_sealed
from molmeta.stored_support import Support, support_arrays, support_from_arrays
from molmeta.typed_json import from_json

FORMAT_VERSION = 2
"""Raised when a file of the version before can no longer be read as it stands."""


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
    support: Support | None = None
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
        tensors |= {f"support.{name}": array for name, array in support_arrays(support).items()}
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
    learner = learner_from_arrays(
        document.learner,
        document.encoder_config,
        document.learner_config,
        parts["learner"],
        backend,
    ).to(device)
    if parts["memory"]:
        learner.memory = memory_from_arrays(parts["memory"])
    support = None
    if document.kind == "target":
        n_support = len(document.support_smiles)
        support = support_from_arrays(parts["support"], n_support).to(device)
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


def _seen_keys(stored: dict[str, Tensor]) -> Tensor:
    keys = stored.get("")
    if keys is None or len(stored) != 1 or keys.dtype != torch.int64 or keys.ndim != 1:
        raise CheckpointError("it lacks the list of molecules that it was trained on.")
    if bool((keys[1:] <= keys[:-1]).any()):
        raise CheckpointError("the molecules that it was trained on are not in ascending order.")
    return keys
