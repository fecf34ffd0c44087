"""D1 to D16: what is given to `molmeta predict --model` in place of a model.

The contents of a well-formed file that lies are in tests/test_checkpoint.py, as they take its
writer; `tests/bad_inputs/elsewhere.py` names them.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A model made from the bytes of a good one; every one exits with 5."""

    id: str
    change: Callable[[bytes], bytes]
    said: str

    def __str__(self) -> str:
        return self.id


def flipped(whole: bytes, place: int) -> bytes:
    """The bytes with the lowest bit at `place` turned over."""
    changed = bytearray(whole)
    changed[place] ^= 1
    return bytes(changed)


def claiming(length: int) -> Callable[[bytes], bytes]:
    """A header that says it is so long."""
    return lambda whole: length.to_bytes(8, "little") + whole[8:]


CHECKPOINTS = [
    Spoiled("D1", lambda whole: b"", "an empty file"),
    Spoiled("D2", lambda whole: whole[: len(whole) // 2], "damaged"),
    Spoiled("D2", lambda whole: whole[:-1], "damaged"),
    Spoiled("D2", lambda whole: whole[:7], "not a molmeta model"),
    Spoiled("D3", lambda whole: b"hello\n", "not a molmeta model"),
    Spoiled("D3", lambda whole: b"<!DOCTYPE html><p>404", "a web page"),
    Spoiled("D3", lambda whole: LFS_POINTER, "a Git LFS pointer"),
    Spoiled("D4", lambda whole: flipped(whole, -5), "sha256 does not match"),
    Spoiled("D4", lambda whole: flipped(whole, len(whole) // 2), "damaged"),
    Spoiled("D5", lambda whole: pickle.dumps({"a": 1}), "a Python pickle"),
    Spoiled("D5", lambda whole: b"PK\x03\x04rest", "a zip archive"),
    Spoiled("D7", claiming(2**63), ""),
    Spoiled("D7", claiming(2**64 - 1), ""),
    Spoiled("D7", claiming(99_000_000), ""),
    Spoiled("D7", claiming(0), ""),
]
