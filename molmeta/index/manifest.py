"""Manifest: what an index is made of, as its index.json says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal

from torch import nn

from molmeta.chem.status import Status
from molmeta.chem.vocabulary import FEATURES_VERSION
from molmeta.errors import ConfigError, InputError, OutputError
from molmeta.learners.base import HeadLearner
from molmeta.learners.weighted_tanimoto import structural_kernel
from molmeta.typed_json import from_json
from molmeta.whole_file import whole_file

FORMAT_VERSION: Final = 4
"""Raised when an index of the version before can no longer be read as it stands."""

INDEX: Final = "index.json"
"""Written last: a folder without it is no index yet."""
BUILDING: Final = "building.json"
"""There while rows are added: the manifest of what was finished before."""


@dataclass(frozen=True, slots=True)
class PartEntry:
    """One part, as the manifest knows it."""

    n_rows: int
    n_molecules: int
    n_bytes: int
    sha256: str
    """Of the file."""
    rows_sha256: str
    """Of the rows that it was made from."""
    by_status: dict[str, int]
    """Rows of each status, by the intake."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index is made of."""

    format: Literal["molmeta-index"]
    format_version: int
    features_version: int
    encoder_sha256: str
    """Of the weights that made the embeddings."""
    kernel_sha256: str
    """Of those by which features were weighed; '' where they were not."""
    dim: int
    """Length of an embedding."""
    columns: tuple[str, ...]
    """Of the library."""
    smiles_column: str
    parts: tuple[PartEntry, ...] = ()

    @property
    def n_rows(self) -> int:
        """Of the library, those included that are no molecules."""
        return sum(part.n_rows for part in self.parts)

    @property
    def n_molecules(self) -> int:
        """Rows that can be ranked."""
        return sum(part.n_molecules for part in self.parts)

    @property
    def by_status(self) -> Counter[Status]:
        """Rows of each status, by the intake."""
        counts: Counter[Status] = Counter()
        for part in self.parts:
            counts.update({Status(name): n for name, n in part.by_status.items()})
        return counts

    @property
    def starts(self) -> tuple[int, ...]:
        """Rows before each part."""
        return (0, *accumulate(part.n_rows for part in self.parts))[: len(self.parts)]


def new_manifest(learner: HeadLearner, columns: tuple[str, ...], smiles_column: str) -> Manifest:
    """The manifest of an index that has no part yet."""
    kernel = structural_kernel(learner)
    return Manifest(
        format="molmeta-index",
        format_version=FORMAT_VERSION,
        features_version=FEATURES_VERSION,
        encoder_sha256=weights_sha256(learner.encoder),
        kernel_sha256="" if kernel is None else weights_sha256(kernel),
        dim=learner.encoder.dim,
        columns=columns,
        smiles_column=smiles_column,
    )


def weights_sha256(module: nn.Module) -> str:
    """Digest of all that the module's answers depend on, next to the features: weights by name."""
    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {list(weight.shape)}\n".encode())
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def part_path(folder: Path, number: int) -> Path:
    """The file of a part, numbered from 0."""
    return folder / f"part-{number:06}.safetensors"


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write it, whole or not at all.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        with whole_file(path) as unfinished:
            text = json.dumps(asdict(manifest), indent=1) + "\n"
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`.

    Raises:
        InputError: it is damaged, of another version, or no manifest.
    """
    folder = path.parent
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged; build the index again.") from error
    if not isinstance(document, dict) or document.get("format") != "molmeta-index":
        raise InputError(f"{folder} is no index of molmeta's; make one with molmeta index.")
    versions = (document.get("format_version"), document.get("features_version"))
    if versions != (FORMAT_VERSION, FEATURES_VERSION):
        raise InputError(
            f"{folder} is an index of format version {versions[0]} with molecule features of "
            f"version {versions[1]}, and this molmeta reads {FORMAT_VERSION} and "
            f"{FEATURES_VERSION}; build it again."
        )
    try:
        manifest: Manifest = from_json(document, Manifest, "it")
        if manifest.n_rows >= 0 and manifest.by_status.total() == manifest.n_rows:
            return manifest
    except (ConfigError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); build the index again.") from error
    raise InputError(f"{path} is damaged: its counts do not add up; build the index again.")
