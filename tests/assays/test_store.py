"""AssayStore from small Parquet files written here: rows, cache, and what is refused."""

import math
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from molmeta.assays import read_texts
from molmeta.assays import store as store_module
from molmeta.assays.store import AssayStore, join_stores, open_store
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.errors import InputError

ROWS = {
    "assay_id": ["A", "A", "B", "A", "B", "B", "A"],
    "smiles": ["CCO", "CCN", "CCO", "c1ccccc1", "CCCl", "C(", "CCBr"],
    "label": [1, 0, 0, 1, 1, 0, 0],
    "log_value": [5.0, 4.5, None, 6.0, 7.5, 4.0, 3.5],
    "relation": ["=", ">", "<", None, "", "=", ">="],
}


def write(path: Path, **changes: object) -> Path:
    """ROWS as Parquet, with some columns replaced, or left out where None."""
    columns = {name: values for name, values in {**ROWS, **changes}.items() if values is not None}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "assays.parquet")


def same(left: AssayStore, right: AssayStore) -> bool:
    arrays = zip(left.molecules.tensors().values(), right.molecules.tensors().values(), strict=True)
    return (
        all(torch.equal(a, b) for a, b in arrays)
        and [t.assay_id for t in left] == [t.assay_id for t in right]
        and all(torch.equal(a.molecules, b.molecules) for a, b in zip(left, right, strict=True))
        and left.rejected == right.rejected
        and left.sha256 == right.sha256
    )


def test_rows_become_tasks_in_the_order_of_the_file(path):
    store = open_store(path, workers=1)
    assert [task.assay_id for task in store] == ["A", "B"]
    first, second = store
    assert first.labels.tolist() == [1, 0, 1, 0]
    assert first.share_active == 0.5
    assert first.log_values.tolist() == [5.0, 4.5, 6.0, 3.5]
    assert second.labels.tolist() == [0, 1]
    assert math.isnan(second.log_values[0])
    keys = featurize([read_smiles(t) for t in ("CCO", "CCN", "c1ccccc1", "CCBr")]).keys
    assert torch.equal(store.molecules.keys[first.molecules], keys)


def test_a_concentration_above_a_bound_is_a_potency_below_it(path):
    first, second = open_store(path, workers=1)
    assert first.relations.tolist() == [0, -1, 0, -1]
    assert second.relations.tolist() == [1, 0]


def test_a_molecule_of_several_assays_is_featurised_once(path):
    store = open_store(path, workers=1)
    assert len(store.molecules) == 5
    assert store.tasks[0].molecules[0] == store.tasks[1].molecules[0]


def test_a_rejected_molecule_is_counted_and_its_rows_left_out(path):
    store = open_store(path, workers=1)
    assert list(store.rejected) == ["C("]
    assert store.rejected["C("] == read_smiles("C(").reason
    assert len(store.tasks[1]) == 2


def test_rows_without_a_usable_label_are_left_out(tmp_path):
    labels = [1.0, 0.0, 0.5, None, 1.0, 0.0, 2.0]
    store = open_store(write(tmp_path / "x.parquet", label=labels), workers=1)
    assert [task.labels.tolist() for task in store] == [[1, 0], [1]]


def test_an_assay_without_usable_rows_is_no_task(tmp_path):
    path = write(tmp_path / "x.parquet", assay_id=["A"] * 5 + ["B", "A"])
    assert [task.assay_id for task in open_store(path, workers=1)] == ["A"]


def test_values_and_relations_may_be_absent(tmp_path):
    store = open_store(write(tmp_path / "x.parquet", log_value=None, relation=None), workers=1)
    assert torch.isnan(store.tasks[0].log_values).all()
    assert store.tasks[0].relations.tolist() == [0, 0, 0, 0]


def test_a_missing_smiles_is_a_rejected_row(tmp_path):
    texts = ["CCO", None, "CCO", "c1ccccc1", "CCCl", "C(", "CCBr"]
    store = open_store(write(tmp_path / "x.parquet", smiles=texts), workers=1)
    assert store.tasks[0].labels.tolist() == [1, 1, 0]
    assert len(store.rejected) == 2


def test_a_folder_is_read_file_by_file(tmp_path, path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "1.parquet")
    write(folder / "2.parquet", assay_id=["C"] * 7, smiles=["CCO", *["CCCC"] * 6])
    (folder / "notes.txt").write_text("not an assay")
    store = open_store(folder, workers=1)
    assert [task.assay_id for task in store] == ["A", "B", "C"]
    assert len(store.tasks[2]) == 7
    assert store.tasks[2].molecules[0] == store.tasks[0].molecules[0]
    assert same(open_store(folder, workers=1), store)


def test_files_with_and_without_values_join(tmp_path):
    write(tmp_path / "1.parquet", log_value=None)
    write(tmp_path / "2.parquet", assay_id=["C"] * 7)
    store = open_store(tmp_path, workers=1)
    assert torch.isnan(store.tasks[0].log_values).all()
    assert store.tasks[2].log_values[0] == 5.0


def test_molecules_are_featurised_once_and_then_read_from_beside_the_file(path, monkeypatch):
    first = open_store(path, workers=1)
    assert len(list(path.parent.glob("assays.features-v*.safetensors"))) == 1
    assert {p.suffix for p in path.parent.iterdir()} == {".parquet", ".safetensors"}

    def not_again(*_: object) -> None:
        raise AssertionError("featurised again")

    monkeypatch.setattr(store_module, "read_texts", not_again)
    assert same(open_store(path, workers=1), first)


def test_a_changed_file_is_featurised_anew(path):
    first = open_store(path, workers=1)
    write(path, smiles=["CCO", "CCN", "CCO", "c1ccccc1", "CCCl", "CCCC", "CCBr"])
    second = open_store(path, workers=1)
    assert second.sha256 != first.sha256
    assert len(second.molecules) == 6
    assert second.rejected == {}
    assert same(open_store(path, workers=1), second)


def test_a_damaged_cache_is_made_again(path):
    first = open_store(path, workers=1)
    (cache,) = path.parent.glob("*.safetensors")
    cache.write_bytes(cache.read_bytes()[:100])
    assert same(open_store(path, workers=1), first)
    assert cache.stat().st_size > 100


def test_the_cache_may_be_read_by_all_who_may_read_a_file_made_here(path):
    open_store(path, workers=1)
    (cache,) = path.parent.glob("*.safetensors")
    (path.parent / "other").touch()
    assert cache.stat().st_mode == (path.parent / "other").stat().st_mode


def test_where_nothing_can_be_written_a_warning_says_so_and_the_store_opens(path):
    expected = open_store(path, workers=1)
    (cache,) = path.parent.glob("*.safetensors")
    cache.unlink()
    (cache / "in the way").mkdir(parents=True)
    with pytest.warns(UserWarning, match="could not be kept at .*assays.features"):
        store = open_store(path, workers=1)
    assert same(store, expected)
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_workers_give_the_molecules_in_the_same_order(path, tmp_path, monkeypatch):
    expected = open_store(path, workers=1)
    monkeypatch.setattr(read_texts, "_CHUNK", 2)
    other = write(tmp_path / "other.parquet")
    assert same(open_store(other, workers=2), expected)


def test_moving_a_store_moves_its_molecules_alone(path):
    store = open_store(path, workers=1)
    moved = store.to("meta")
    assert moved.molecules.device.type == "meta"
    assert moved.tasks is store.tasks


@pytest.mark.parametrize("column", ["assay_id", "smiles", "label"])
def test_a_missing_column_is_named(tmp_path, column):
    path = write(tmp_path / "x.parquet", **{column: None})
    with pytest.raises(InputError, match=rf"x.parquet has no column {column}; it has .*relation"):
        open_store(path, workers=1)


@pytest.mark.parametrize("labels", [[True, False] * 3 + [True], ["1", "0"] * 3 + ["1.0"]])
def test_labels_may_be_any_kind_of_number(tmp_path, labels):
    store = open_store(write(tmp_path / "x.parquet", label=labels), workers=1)
    assert store.tasks[0].labels.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("column", ["label", "log_value"])
def test_words_instead_of_numbers_are_refused(tmp_path, column):
    path = write(tmp_path / "x.parquet", **{column: ["active"] * 7})
    with pytest.raises(InputError, match=rf"Column {column} of .*x.parquet must hold numbers"):
        open_store(path, workers=1)


def test_a_file_without_rows_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(ROWS).slice(0, 0), path)
    with pytest.raises(InputError, match="no rows"):
        open_store(path, workers=1)


def test_files_that_are_not_there_or_not_parquet_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file or folder"):
        open_store(tmp_path / "absent.parquet")
    with pytest.raises(InputError, match=r"holds no \.parquet file"):
        open_store(tmp_path)
    (tmp_path / "x.parquet").write_text("assay_id,smiles,label")
    with pytest.raises(InputError, match=r"x.parquet is not a readable Parquet file"):
        open_store(tmp_path / "x.parquet")


def test_opening_a_store_warns_of_nothing(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_store(path, workers=1)
        open_store(path, workers=1)


def test_joined_stores_keep_their_tasks_and_molecules(tmp_path):
    left = open_store(write(tmp_path / "left.parquet"), workers=1)
    right_rows = {"assay_id": ["C", "C"], "smiles": ["CCO", "CCS"], "label": [0, 1]}
    pq.write_table(pa.table(right_rows), tmp_path / "right.parquet")
    right = open_store(tmp_path / "right.parquet", workers=1)
    joined = join_stores([left, right])
    assert [task.assay_id for task in joined] == ["A", "B", "C"]
    keys = joined.molecules.keys[joined.tasks[2].molecules]
    assert torch.equal(keys, right.molecules.keys[right.tasks[0].molecules])
    assert joined.smiles == left.smiles + right.smiles
    assert join_stores([left]) is left


def test_stores_with_an_assay_of_the_same_name_are_not_joined(tmp_path):
    store = open_store(write(tmp_path / "assays.parquet"), workers=1)
    with pytest.raises(InputError, match="Assay A is in two"):
        join_stores([store, store])
