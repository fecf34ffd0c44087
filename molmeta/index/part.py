"""Part: what ranking needs of some thousand rows, in one file that is mapped into memory.

The file is safetensors: the arrays of a Part, and the rows' own text beside them. It is made from
its rows and the learner alone, and appears whole under its name or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from molmeta.assays.tables import Row
from molmeta.chem.batch import MoleculeBatch, concatenate
from molmeta.chem.status import Status
from molmeta.chem.vocabulary import ATOM_COLUMNS, BOND_COLUMNS, N_DESCRIPTORS
from molmeta.errors import ConfigError, InputError, OutputError
from molmeta.index.encoding import EncodedRows
from molmeta.index.records import Record, Records
from molmeta.learners.base import HeadLearner
from molmeta.learners.overlap import PackedCounts, word_dtype
from molmeta.learners.weighted_tanimoto import structural_kernel
from molmeta.typed_json import from_json
from molmeta.whole_file import whole_file

ROWS: Final = 16_384
"""Of a part; the words of so many molecules mostly have numbers of two bytes."""

_NOTE: Final = "molmeta"
"""Name of the note in the file's metadata."""


@dataclass(frozen=True, slots=True)
class Part:
    """What ranking needs of the `n` molecules among `n_rows` rows."""

    vectors: Tensor
    """[n, dim], float16: embeddings at unit length."""
    keys: Tensor
    """[n], int64: identity keys."""
    changed: Tensor
    """[n], bool: whether the intake changed the molecule."""
    places: Tensor
    """[n], int32, ascending: row of each molecule, from 0."""
    counts: PackedCounts

    def __len__(self) -> int:
        return len(self.keys)

    def molecules(self, start: int, end: int) -> MoleculeBatch:
        """The molecules `start` to `end` by their keys alone: no atom, no bond, no count."""
        n = end - start
        none = torch.zeros(1, dtype=torch.int64).expand(n + 1)
        return MoleculeBatch(
            atom_offsets=none,
            atoms=torch.zeros(0, len(ATOM_COLUMNS), dtype=torch.uint8),
            bond_offsets=none,
            bonds=torch.zeros(0, 2, dtype=torch.int16),
            bond_features=torch.zeros(0, len(BOND_COLUMNS), dtype=torch.uint8),
            ecfp_offsets=none,
            ecfp_ids=torch.zeros(0, dtype=torch.int32),
            ecfp_counts=torch.zeros(0, dtype=torch.uint8),
            motif_offsets=none,
            motif_ids=torch.zeros(0, dtype=torch.int16),
            motif_counts=torch.zeros(0, dtype=torch.uint8),
            descriptors=torch.zeros(1, N_DESCRIPTORS, dtype=torch.int16).expand(n, -1),
            keys=self.keys[start:end],
        )


@dataclass(frozen=True, slots=True)
class PartNote:
    """What a file says of itself."""

    n_rows: int
    n_molecules: int
    rows_sha256: str
    """Of the rows that it was made from."""
    by_status: dict[str, int]
    """Rows of each status, by the intake."""


class Content(NamedTuple):
    """All that a file holds."""

    part: Part
    records: Records
    note: PartNote


def make_content(
    rows: Sequence[Row], encoded: Sequence[EncodedRows], learner: HeadLearner
) -> Content:
    """The content for `rows`, at least one, which `learner` has `encoded`."""
    verdicts = [verdict for some in encoded for verdict in some.verdicts]
    is_molecule = [one for some in encoded for one in some.is_molecule]
    molecules = concatenate([some.molecules for some in encoded])
    places = torch.tensor(is_molecule).nonzero()[:, 0]
    changed = [verdicts[place][0] is not Status.OK for place in places.tolist()]
    part = Part(
        vectors=torch.cat([some.vectors for some in encoded]),
        keys=molecules.keys,
        changed=torch.tensor(changed, dtype=torch.bool),
        places=places.int(),
        counts=PackedCounts.of(molecules, structural_kernel(learner)),
    )
    by_status = Counter(str(status) for status, _ in verdicts)
    note = PartNote(len(rows), len(part), rows_sha256(rows), dict(sorted(by_status.items())))
    records = [Record(*verdict, row.cells) for verdict, row in zip(verdicts, rows, strict=True)]
    return Content(part, Records.of(records), note)


def rows_sha256(rows: Sequence[Row]) -> str:
    """Digest of what a part is made from."""
    digest = hashlib.sha256()
    for row in rows:
        problem = row.problem and (row.problem.status, row.problem.reason)
        digest.update(json.dumps([row.smiles, problem, *row.cells]).encode() + b"\n")
    return digest.hexdigest()


def write_content(path: Path, content: Content) -> None:
    """Write a file to `path`, whole or not at all.

    Raises:
        OutputError: the disk is full, or the like.
    """
    arrays = _arrays(content.part, "") | _arrays(content.records, "records.")
    try:
        with whole_file(path) as unfinished:
            save_file(arrays, unfinished, metadata={_NOTE: json.dumps(asdict(content.note))})
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path} cannot be written: {error}.") from error


def read_note(path: Path) -> PartNote:
    """What the file at `path` says of itself.

    Raises:
        InputError: it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})[_NOTE])
        note: PartNote = from_json(document, PartNote, "its note")
    except (OSError, SafetensorError, ConfigError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    return note


def read_part(path: Path, n: int, n_rows: int, dim: int) -> Part:
    """The part of n molecules in the file at `path`, every index in it within its range.

    Raises:
        InputError: it is damaged.
    """
    arrays = _mapped(path, ("vectors", "keys", "changed", "places", *_of_counts()))
    n_words, k = len(arrays["counts.ids"]), len(arrays["counts.words"])
    shapes: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {
        "vectors": (torch.float16, (n, dim)),
        "keys": (torch.int64, (n,)),
        "changed": (torch.bool, (n,)),
        "places": (torch.int32, (n,)),
        "counts.ids": (torch.int64, (n_words,)),
        "counts.counts": (torch.uint8, (n_words,)),
        "counts.offsets": (torch.int32, (n + 1,)),
        "counts.words": (word_dtype(n_words), (k,)),
        "counts.totals": (torch.int32, (n,)),
        "counts.numbers": (torch.int32, (n,)),
        "counts.weights": (torch.float32, (n,)),
    }
    for name, (dtype, shape) in shapes.items():
        if arrays[name].dtype != dtype or arrays[name].shape != shape:
            raise _damaged(path, f"its {name} have another type or shape than they should")
    counts = PackedCounts(**{f.name: arrays.pop(f"counts.{f.name}") for f in fields(PackedCounts)})
    part = Part(**arrays, counts=counts)
    fits = (
        _divides(counts.offsets, k)
        and bool((counts.ids[1:] >= counts.ids[:-1]).all())
        and _within(counts.words, n_words)
        and bool((part.places[1:] > part.places[:-1]).all())
        and _within(part.places, n_rows)
    )
    if not fits:
        raise _damaged(path, "its arrays do not fit together")
    return part


def read_records(path: Path, n_rows: int) -> Records:
    """The rows in the file at `path`.

    Raises:
        InputError: it is damaged.
    """
    arrays = _mapped(path, ("records.text", "records.offsets"))
    records = Records(arrays["records.text"], arrays["records.offsets"])
    fits = (
        (records.text.dtype, records.text.ndim) == (torch.uint8, 1)
        and (records.offsets.dtype, records.offsets.shape) == (torch.int64, (n_rows + 1,))
        and _divides(records.offsets, len(records.text))
    )
    if not fits:
        raise _damaged(path, "its rows do not fit together")
    return records


def _arrays(owner: Any, prefix: str) -> dict[str, Tensor]:
    """The tensors of a dataclass, and of those in it, by their names in the file."""
    arrays: dict[str, Tensor] = {}
    for field in fields(owner):
        value, name = getattr(owner, field.name), f"{prefix}{field.name}"
        arrays |= {name: value} if isinstance(value, Tensor) else _arrays(value, f"{name}.")
    return arrays


def _of_counts() -> list[str]:
    return [f"counts.{field.name}" for field in fields(PackedCounts)]


def _mapped(path: Path, names: Sequence[str]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, why: object) -> InputError:
    return InputError(f"{path} is damaged ({why}); build the index again.")


def _divides(offsets: Tensor, n: int) -> bool:
    """Whether `offsets` ascend from 0 to n."""
    ascends = bool((offsets[1:] >= offsets[:-1]).all())
    return ascends and (int(offsets[0]), int(offsets[-1])) == (0, n)


def _within(places: Tensor, n: int) -> bool:
    """Whether all `places` are places among n."""
    if not len(places):
        return True
    # By numpy, which knows two-byte numbers without a sign.
    numbers = places.numpy()
    return bool(numbers.max() < n) and (numbers.dtype.kind == "u" or bool(numbers.min() >= 0))
