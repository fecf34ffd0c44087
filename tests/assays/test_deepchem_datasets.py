"""DeepChem datasets of a few molecules, to assays and back; what DeepChem itself makes of them."""

import math
import subprocess
import sys
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molmeta.assays.deepchem_datasets import (
    _how_to_install,
    deepchem_from_store,
    quiet_deepchem,
    tables_from_deepchem,
    tasks_from_deepchem,
)
from molmeta.assays.store import build_store
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.errors import ConfigError, InputError

SMILES = ["CCO", "CCN", "c1ccccc1", "CCCl", "CCO", "CCBr"]
LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, np.nan], [0, 1], [1, 0]])
WEIGHTS = np.array([[1, 1], [1, 0], [1, 1], [1, 1], [1, 1], [2.5, 0.1]])
NAMES = ["NR-AR", "SR-p53"]


def dataset(**changes):
    """What this module reads of a deepchem.data.Dataset."""
    fields = {"y": LABELS, "w": WEIGHTS, "ids": np.array(SMILES, dtype=object), **changes}

    class Dataset(SimpleNamespace):
        def __len__(self) -> int:
            return len(self.ids)

        def get_task_names(self) -> list[str]:
            return NAMES

    return Dataset(**fields)


@pytest.fixture(scope="module")
def deepchem():
    """DeepChem; what needs it is skipped where it cannot be installed."""
    try:
        with quiet_deepchem() as module:
            yield module
    except ConfigError as error:
        pytest.skip(str(error))


def test_each_column_becomes_a_task_without_its_missing_labels():
    first, second = tasks_from_deepchem(dataset())
    assert [first.assay_id, second.assay_id] == NAMES
    assert first.labels.tolist() == [1, 0, 1, 0, 0, 1]
    # CCN has weight 0, CCCl a NaN.
    assert second.labels.tolist() == [0, 1, 1, 0]


def test_the_ids_are_the_molecules():
    store = tasks_from_deepchem(dataset())
    keys = featurize([read_smiles(text) for text in SMILES]).keys
    assert torch.equal(store.molecules.keys[store.tasks[0].molecules], keys)
    assert [store.smiles[i] for i in store.tasks[0].molecules] == SMILES


def test_measured_values_are_kept_and_split_at_their_median():
    values = np.array([[4.0], [5.0], [6.5], [7.0], [np.nan], [9.0]])
    (task,) = tasks_from_deepchem(dataset(y=values, w=np.ones((6, 1))), ["logS"], regression=True)
    assert task.log_values.tolist() == [4.0, 5.0, 6.5, 7.0, 9.0]
    assert task.labels.tolist() == [0, 0, 0, 1, 1]


def test_values_are_not_taken_for_classes():
    with pytest.raises(InputError, match=r"'NR-AR' holds 2, and a class is 0 or 1.*regression"):
        tasks_from_deepchem(dataset(y=LABELS * 2))


def test_labels_and_weights_of_one_dimension_are_one_task():
    (task,) = tasks_from_deepchem(dataset(y=LABELS[:, 0], w=WEIGHTS[:, 0]), ["A"])
    assert task.labels.tolist() == [1, 0, 1, 0, 0, 1]


def test_one_weight_a_row_holds_for_every_task():
    weights = np.array([[1.0], [0], [1], [1], [1], [1]])
    first, second = tasks_from_deepchem(dataset(w=weights))
    assert (len(first), len(second)) == (5, 4)


def test_a_task_without_labels_is_none():
    labels = np.array([[1, np.nan]] * 6)
    assert [task.assay_id for task in tasks_from_deepchem(dataset(y=labels))] == ["NR-AR"]


@pytest.mark.parametrize("names", [["A"], ["A", "B", "C"], ["A", "A"]])
def test_names_that_do_not_fit_the_columns_are_refused(names):
    with pytest.raises(InputError, match="2 columns of labels"):
        tasks_from_deepchem(dataset(), names)


def test_ids_that_are_no_molecules_are_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"None of the 6 ids.*'TOX0'.*ids=smiles"):
        tasks_from_deepchem(dataset(ids=np.array([f"TOX{i}" for i in range(6)])))


def test_a_dataset_without_labels_is_refused():
    with pytest.raises(InputError, match="no label"):
        tasks_from_deepchem(dataset(w=np.zeros((6, 1))))


def test_labels_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="must be numbers"):
        tasks_from_deepchem(dataset(y=np.array([["active"]] * 6)))


def test_a_rejected_molecule_leaves_the_others_in_place():
    store = tasks_from_deepchem(dataset(ids=np.array(["C(", *SMILES[1:]])))
    assert list(store.rejected) == ["C("]
    assert store.tasks[0].labels.tolist() == [0, 1, 0, 0, 1]


def test_a_dataset_in_memory_is_read(deepchem):
    one = deepchem.data.NumpyDataset(np.zeros((6, 1)), LABELS, WEIGHTS, SMILES)
    assert [task.assay_id for task in tasks_from_deepchem(one)] == ["0", "1"]
    named = tasks_from_deepchem(one, NAMES)
    assert [task.labels.tolist() for task in named] == [[1, 0, 1, 0, 0, 1], [0, 1, 1, 0]]


def test_a_dataset_on_disk_keeps_the_names_of_its_tasks(deepchem, tmp_path):
    file = tmp_path / "own.csv"
    rows = ["smiles,A,B b", "CCO,1,", "CCN,,0", "CCCl,0,1"]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    loader = deepchem.data.CSVLoader(
        ["A", "B b"], feature_field="smiles", featurizer=deepchem.feat.DummyFeaturizer()
    )
    store = tasks_from_deepchem(loader.create_dataset(str(file), data_dir=str(tmp_path / "disk")))
    assert [task.assay_id for task in store] == ["A", "B b"]
    assert [task.labels.tolist() for task in store] == [[1, 0], [0, 1]]


def test_labels_come_back_as_they_went(deepchem):
    store = tasks_from_deepchem(dataset())
    names, back = deepchem_from_store(store)
    assert names == NAMES
    assert isinstance(back, deepchem.data.NumpyDataset)
    # CCO stands twice in the dataset, and so it does now; the rows are ordered by their SMILES.
    order = sorted(range(6), key=SMILES.__getitem__)
    present = np.isfinite(LABELS) & (WEIGHTS != 0)
    assert back.ids.tolist() == [SMILES[i] for i in order]
    assert np.array_equal(back.w, present[order])
    assert np.array_equal(back.y, np.where(present, LABELS, 0)[order])


def test_assays_come_back_as_they_went(deepchem):
    store = tasks_from_deepchem(dataset())
    names, back = deepchem_from_store(store)
    again = tasks_from_deepchem(back, names)
    assert again.smiles == store.smiles
    for one, other in zip(store, again, strict=True):
        rows = zip(one.molecules.tolist(), one.labels.tolist(), strict=True)
        assert sorted(rows, key=itemgetter(0)) == list(
            zip(other.molecules.tolist(), other.labels.tolist(), strict=True)
        )


def test_values_come_back_as_they_went(deepchem):
    values = np.array([[4.0], [5.0], [6.5], [7.0], [np.nan], [9.0]])
    store = tasks_from_deepchem(dataset(y=values, w=np.ones((6, 1))), ["logS"], regression=True)
    _, back = deepchem_from_store(store, regression=True)
    value_of = {
        text: y for text, y, w in zip(back.ids, back.y[:, 0], back.w[:, 0], strict=True) if w
    }
    assert value_of == {"CCO": 4, "CCN": 5, "c1ccccc1": 6.5, "CCCl": 7, "CCBr": 9}


def test_deepchem_splits_and_featurizes_what_it_gets(deepchem):
    _, back = deepchem_from_store(tasks_from_deepchem(dataset()))
    parts = deepchem.splits.ScaffoldSplitter().train_valid_test_split(back)
    assert sorted(text for part in parts for text in part.ids) == sorted(SMILES)
    assert deepchem.feat.MACCSKeysFingerprint().featurize(back.ids).shape == (6, 167)


def test_a_store_without_texts_cannot_go_back(store):
    with pytest.raises(InputError, match="holds no SMILES"):
        deepchem_from_store(store)


def test_a_store_of_a_table_is_the_store_of_its_file(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from molmeta.assays.store import open_store

    table = pa.concat_tables([table for _, table in tables_from_deepchem(dataset())])
    pq.write_table(table, tmp_path / "assays.parquet")
    built, opened = build_store(table), open_store(tmp_path / "assays.parquet", workers=1)
    assert built.sha256 == opened.sha256
    assert built.smiles == opened.smiles
    assert [t.labels.tolist() for t in built] == [t.labels.tolist() for t in opened]
    assert math.isnan(built.tasks[0].log_values[0])


def test_without_deepchem_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepchem", None)
    with pytest.raises(ConfigError, match=r"not installed.*molmeta\[deepchem\]"):
        quiet_deepchem().__enter__()


def test_a_python_that_deepchem_does_not_support_is_named():
    assert "up to 3.11, and this is Python 3.13" in _how_to_install((3, 13))
    assert "up to" not in _how_to_install((3, 11))


def test_another_deepchem_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepchem", SimpleNamespace(__version__="2.5.0"))
    with pytest.raises(ConfigError, match=r"DeepChem 2.5.0 is installed, and 2.8 is needed"):
        quiet_deepchem().__enter__()


def test_deepchem_says_nothing_of_what_it_lacks(deepchem):
    code = (
        "from molmeta.assays.deepchem_datasets import quiet_deepchem\n"
        "with quiet_deepchem() as dc:\n"
        "    data = dc.data.NumpyDataset(['CCO', 'CCN'], ids=['CCO', 'CCN'])\n"
        "    dc.splits.ButinaSplitter().split(data)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.stderr) == ("", "")
