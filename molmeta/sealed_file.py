"""One file of a JSON document and tensors, of which every bit is covered by a hash.

The file is valid safetensors, so other programs can look into it:

    8 bytes   length of the header, little endian
    header    {"__metadata__":{"molmeta":DOCUMENT,"sha256":DIGEST},
               NAME:{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},...}
              DOCUMENT is a JSON text; spaces fill the header up to a multiple of 8
    tensors   without gaps, the widest dtype first, then by name; little endian

DIGEST is the sha256, in hexadecimal, of that header with an empty DIGEST, followed by the tensors.

There is one way only to write given contents. The reader writes the header again from what it
understood and demands the same bytes: that refuses duplicate keys, NaN, gaps and overlapping
tensors at once. Nothing in the file is ever executed, and no array is made before its size is
known to be in the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from molmeta.errors import CheckpointError, OutputError
from molmeta.whole_file import whole_file

MAX_HEADER_BYTES = 2 << 20
MAX_FILE_BYTES = 2 << 30
_MAX_DIMENSIONS = 8
_PIECE = 1 << 20

_DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

_MAGIC = b'{"__metadata__":{"molmeta":"'
_IMPOSTORS = (
    (b"version https://git-lfs", "a Git LFS pointer (fetch the file itself with `git lfs pull`)"),
    (b"PK\x03\x04", "a zip archive, as PyTorch writes"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file, as Keras writes"),
    (b"<", "a web page or XML"),
    (b"\x80", "a Python pickle"),
)

_Specs = dict[str, tuple[str, tuple[int, ...]]]
"""Dtype code and shape of each tensor, in the order of the file."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What a sealed file holds."""

    document: dict[str, Any]
    tensors: dict[str, Tensor]
    sha256: str
    """The file's DIGEST."""


def write_sealed(
    path: Path, document: Mapping[str, Any], tensors: Mapping[str, Tensor], *, overwrite: bool
) -> None:
    """Write `document` and `tensors` to `path`: the whole new file appears there, or nothing does.

    Raises:
        OutputError: the file exists and `overwrite` is false, the folder cannot be written, or
            the document is too long or not plain JSON.
    """
    stored = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
    order = sorted(stored, key=lambda name: (-stored[name].itemsize, name))
    specs = {name: (_CODES[stored[name].dtype], tuple(stored[name].shape)) for name in order}
    content = [stored[name].contiguous().numpy().tobytes() for name in order]
    try:
        digest = hashlib.sha256(_header(document, specs, sha256=""))
        for part in content:
            digest.update(part)
        header = _header(document, specs, digest.hexdigest())
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"{path} was not written: its description is not plain JSON ({error})."
        ) from error
    if len(header) > MAX_HEADER_BYTES:
        raise OutputError(
            f"{path} was not written: its description takes {len(header)} bytes, at most "
            f"{MAX_HEADER_BYTES} fit. Shorten the metrics or use fewer support compounds."
        )
    try:
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already: choose another name, or allow overwriting.")
        with whole_file(path) as unfinished, unfinished.open("wb") as file:
            file.write(len(header).to_bytes(8, "little"))
            file.write(header)
            file.writelines(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


def read_sealed(path: Path) -> SealedFile:
    """The contents of the sealed file at `path`.

    Raises:
        CheckpointError: it is not one, or not one bit for bit; the message completes
            "cannot be used as a model: ...".
    """
    try:
        if path.is_dir():
            raise CheckpointError("it is a folder; name the model file in it.")
        if not path.is_file():
            # Not opened on trial: opening a named pipe would wait for ever.
            raise CheckpointError("there is no file of that name.")
        with path.open("rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise CheckpointError(f"it cannot be read ({error.strerror}).") from error


def content_sha256(text: str, tensors: Mapping[str, Tensor]) -> str:
    """One digest of a text and of named tensors on the CPU: names, types, shapes and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(file: BinaryIO, size: int) -> SealedFile:
    start = file.read(8 + len(_MAGIC))
    if start[8:] != _MAGIC:
        raise CheckpointError(f"it is not a molmeta model but {_what_it_seems(start)}.")
    length = int.from_bytes(start[:8], "little")
    if length > MAX_HEADER_BYTES or size > MAX_FILE_BYTES:
        raise CheckpointError("it is damaged: it claims to be larger than any molmeta model.")
    file.seek(8)
    document, specs, sha256 = _parse(file.read(length))
    n_bytes = sum(_n_bytes(spec) for spec in specs.values())
    if 8 + length + n_bytes != size:
        raise CheckpointError(
            f"it is damaged: it has {size} bytes and should have {8 + length + n_bytes}. "
            "Copy or download it again."
        )
    digest = hashlib.sha256(_header(document, specs, sha256=""))
    # In pieces: a forged file of holes must not fill the memory before its hash gives it away.
    while piece := file.read(_PIECE):
        digest.update(piece)
    if digest.hexdigest() != sha256:
        raise CheckpointError(
            "it is damaged: its sha256 does not match its contents. Copy or download it again."
        )
    file.seek(8 + length)
    content = bytearray(n_bytes)
    file.readinto(content)  # type: ignore[attr-defined]
    return SealedFile(document, _decode(content, specs), sha256)


def _what_it_seems(start: bytes) -> str:
    if not start:
        return "an empty file"
    for magic, name in _IMPOSTORS:
        if start.startswith(magic):
            return name
    if start[8:9] == b"{":
        return "another program's safetensors file, or a damaged one"
    return "something else, or cut off after a few bytes"


def _parse(header: bytes) -> tuple[dict[str, Any], _Specs, str]:
    """Document, specs and DIGEST, from a header that could not have been written otherwise."""
    try:
        table = json.loads(header.decode())
        metadata = table.pop("__metadata__")
        document, sha256 = json.loads(metadata["molmeta"]), metadata["sha256"]
        specs = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in table.items()}
        in_order = sorted(specs, key=lambda name: (-_DTYPES[specs[name][0]].itemsize, name))
        if (
            isinstance(document, dict)
            and list(specs) == in_order
            and header == _header(document, specs, sha256)
        ):
            return document, specs, sha256
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        pass
    raise CheckpointError(
        "it is damaged or forged: its header is not as molmeta writes it. "
        "Copy or download it again."
    )


def _header(document: Mapping[str, Any], specs: _Specs, sha256: str) -> bytes:
    table: dict[str, Any] = {"__metadata__": {"molmeta": _json(document), "sha256": sha256}}
    start = 0
    for name, (code, shape) in specs.items():
        end = start + _n_bytes((code, shape))
        table[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
        start = end
    text = _json(table).encode()
    return text + b" " * (-len(text) % 8)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _n_bytes(spec: tuple[str, tuple[int, ...]]) -> int:
    code, shape = spec
    if len(shape) > _MAX_DIMENSIONS or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"no tensor has the shape {shape}")
    # A dimension of 0 must not hide one that no array could have.
    if math.prod(max(size, 1) for size in shape) > MAX_FILE_BYTES:
        raise ValueError(f"a tensor of shape {shape} is too large")
    return math.prod(shape) * _DTYPES[code].itemsize


def _decode(content: bytearray, specs: _Specs) -> dict[str, Tensor]:
    tensors, offset = {}, 0
    for name, (code, shape) in specs.items():
        dtype, count = _DTYPES[code], math.prod(shape)
        tensors[name] = torch.empty(shape, dtype=dtype)
        if count:
            # Copied to memory that torch aligned: alignment can change the last bit of a product.
            flat = torch.frombuffer(content, dtype=dtype, count=count, offset=offset)
            tensors[name].copy_(flat.view(shape))
        offset += count * dtype.itemsize
    return tensors
