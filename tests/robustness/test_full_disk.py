"""A disk that is full at any point of a write: the old file stays, nothing is left beside it."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from molmeta.assays.store import open_store
from molmeta.checkpoint import save_checkpoint
from molmeta.errors import OutputError
from molmeta.training.state import write_tensors
from tests.molecules import DRUGS
from tests.tiny_model import tiny_checkpoint

resource = pytest.importorskip("resource")
N_LIMITS = 50


@contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond `n_bytes`: the write that would is refused, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores this signal already; so must a library that writes without Python.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def model(path: Path) -> None:
    save_checkpoint(path, tiny_checkpoint(), overwrite=True)


def state(path: Path) -> None:
    write_tensors(path, {"x": torch.arange(2_000.0)}, {"step": 1})


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
@pytest.mark.parametrize("write", [model, state])
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    write(path)
    size = path.stat().st_size
    path.write_bytes(b"old")
    for n_bytes in range(4, size, size // N_LIMITS):
        with room_for(n_bytes), pytest.raises(OutputError, match="cannot be written"):
            write(path)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file"]
    with room_for(size):
        write(path)
    assert path.stat().st_size == size


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_cache_that_does_not_fit_is_done_without(tmp_path: Path) -> None:
    rows = {"assay_id": "A", "label": 1}
    table = pa.Table.from_pylist([{**rows, "smiles": smiles} for smiles in DRUGS])
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    expected = open_store(path, workers=1)
    (cache,) = tmp_path.glob("*.safetensors")
    whole = cache.read_bytes()
    for n_bytes in range(4, len(whole), len(whole) // N_LIMITS):
        cache.unlink()
        with room_for(n_bytes), pytest.warns(UserWarning, match="could not be kept at"):
            store = open_store(path, workers=1)
        assert torch.equal(store.molecules.keys, expected.molecules.keys)
        assert os.listdir(tmp_path) == ["a.parquet"]
        cache.touch()
    open_store(path, workers=1)
    assert cache.read_bytes() == whole
