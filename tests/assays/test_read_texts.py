"""Texts are read once: places and reasons, and what is kept in a file."""

from pathlib import Path

import pytest
import torch

from molmeta.assays.read_texts import ReadTexts, keep, kept, read_texts

TEXTS = ["CCO", "C(", "CN", "c1ccccc1O"]


@pytest.fixture
def read() -> ReadTexts:
    return read_texts(TEXTS, workers=1)


def test_each_text_has_a_place_or_a_reason(read: ReadTexts) -> None:
    assert read.places.tolist() == [0, -1, 1, 2]
    assert len(read.molecules) == 3
    assert list(read.rejected) == ["C("]
    assert read.rejected["C("]


def test_what_was_kept_is_found_for_the_same_texts_alone(read: ReadTexts, tmp_path: Path) -> None:
    cache = tmp_path / "molecules.safetensors"
    assert kept(cache, "one") is None
    keep(read, cache, "one")
    found = kept(cache, "one")
    assert found is not None
    assert found.rejected == read.rejected
    assert torch.equal(found.places, read.places)
    for name, tensor in read.molecules.tensors().items():
        assert torch.equal(getattr(found.molecules, name), tensor), name
    assert kept(cache, "other") is None


def test_the_same_texts_make_the_same_bytes(read: ReadTexts, tmp_path: Path) -> None:
    for name in ("first", "second"):
        keep(read, tmp_path / name, "one")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
