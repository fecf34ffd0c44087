"""Files cut short, or altered by a bit; `python -m benchmarks.bit_flips` takes 10,000 of each."""

import os
import warnings
from itertools import islice
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from benchmarks.bit_flips import FILES, cuts, flips, unnoticed
from molmeta.assays.store import open_store
from molmeta.errors import CheckpointError
from molmeta.training.state import read_record, write_tensors


@pytest.mark.parametrize("name", FILES)
def test_no_cut_and_no_flipped_bit_goes_unnoticed(tmp_path: Path, name: str) -> None:
    path, notices = FILES[name](tmp_path)
    whole = path.read_bytes()
    assert unnoticed(path, notices, islice(cuts(whole), 0, None, 5)) == 0
    assert unnoticed(path, notices, flips(whole, 400, Random(1))) == 0


def test_the_count_of_what_goes_unnoticed_can_count(tmp_path: Path) -> None:
    path, notices = FILES["state"](tmp_path)
    whole = path.read_bytes()
    assert unnoticed(path, notices, iter([whole, whole[:-1], whole])) == 2


def test_a_cache_with_an_altered_array_is_made_again_and_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"assay_id": ["A"] * 2, "smiles": ["CCO", "CN"], "label": [1, 0]}), path
    )
    expected = open_store(path, workers=1).molecules.keys.clone()
    (cache,) = tmp_path.glob("*.safetensors")
    whole = cache.read_bytes()
    cache.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert torch.equal(open_store(path, workers=1).molecules.keys, expected)
    assert cache.read_bytes() == whole


@pytest.mark.parametrize("kind", ["folder", "fifo", "nothing", "loop"])
def test_what_is_no_file_is_neither_cache_nor_state(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"assay_id": ["A"], "smiles": ["CCO"], "label": [1]}), path)
    open_store(path, workers=1)
    (cache,) = tmp_path.glob("*.safetensors")
    cache.unlink()
    if kind == "folder":
        cache.mkdir()
    elif kind == "fifo":
        os.mkfifo(cache)
    elif kind == "loop":
        cache.symlink_to(cache)
    with pytest.raises(CheckpointError, match="missing or damaged"):
        read_record(cache)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if kind != "folder" else "ignore")
        assert len(open_store(path, workers=1).molecules) == 1


def test_a_state_written_before_there_was_a_digest_is_still_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "old", metadata={"record": '{"step": 7}'})
    assert read_record(tmp_path / "old") == {"step": 7}


def test_equal_contents_give_equal_states(tmp_path: Path) -> None:
    for name in "abcdefgh":
        write_tensors(tmp_path / name, {"x": torch.ones(2)}, {"step": 1, "best": 0.5})
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
