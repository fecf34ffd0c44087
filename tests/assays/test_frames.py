"""Columns out of lists, arrays, Series and frames of every library that has them."""

import numpy as np
import pyarrow as pa
import pytest
from rdkit import Chem

from molmeta.assays.frames import labels_in, molecules_in
from molmeta.errors import InputError

SMILES = ["CCO", "CCN", None]
COLUMNS = {"compound": ["a", "b", "c"], "Canonical SMILES": SMILES, "y": [1, 0, 1]}


@pytest.mark.parametrize(
    "data",
    [
        pa.array(SMILES),
        pa.chunked_array([SMILES[:2], SMILES[2:]]),
        pa.table({"anything": SMILES}),
        pa.table(COLUMNS),
        pa.record_batch(COLUMNS),
        np.array(SMILES, dtype=object)[:, None],
        (text for text in SMILES),
    ],
    ids=["array", "chunked", "one column", "table", "batch", "numpy column", "generator"],
)
def test_arrow_and_numpy_give_their_molecules_in_order(data):
    assert molecules_in(data) == SMILES


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_and_series_give_their_molecules_in_order(library):
    module = pytest.importorskip(library)
    frame = module.DataFrame(COLUMNS)
    series = frame["Canonical SMILES"]
    for data in (frame, frame[["Canonical SMILES"]], series, module.DataFrame({"x": SMILES})):
        # pandas writes a missing text as NaN.
        texts = [text if isinstance(text, str) else None for text in molecules_in(data)]
        assert texts == SMILES
    assert labels_in(frame["y"]) == labels_in(frame[["y"]]) == [1, 0, 1]


def test_rows_of_a_pandas_frame_keep_their_order_whatever_the_index():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"smiles": ["CCO", "CCN", "CCC"]}, index=[7, 7, 0])
    assert molecules_in(frame.iloc[::-1]) == ["CCC", "CCN", "CCO"]


def test_a_column_of_rdkit_molecules_is_found_by_the_name_that_rdkit_gives_it():
    pandas = pytest.importorskip("pandas")
    mols = [Chem.MolFromSmiles("CCO"), Chem.MolFromSmiles("CCN")]
    frame = pandas.DataFrame({"ID": ["a", "b"], "ROMol": mols})
    assert [Chem.MolToSmiles(mol) for mol in molecules_in(frame)] == ["CCO", "CCN"]


def test_what_numpy_takes_for_an_array_is_taken():
    class Column:
        def __array__(self, dtype=None, copy=None):
            return np.array(["CCO", "CCN"], dtype=dtype)

    assert molecules_in(Column()) == ["CCO", "CCN"]


def test_a_frame_in_which_no_column_says_smiles_is_refused_with_its_columns():
    with pytest.raises(InputError, match=r"3 columns.*'compound', 'text', 'y'"):
        molecules_in(pa.table({**COLUMNS, "text": SMILES}).select(["compound", "text", "y"]))


def test_two_columns_of_the_same_name_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["CCO", "CCN"]], columns=["smiles", "SMILES"])
    with pytest.raises(InputError, match="2 columns called 'smiles'"):
        molecules_in(frame)


def test_labels_come_in_one_column():
    with pytest.raises(InputError, match=r"3 columns.*pass the one"):
        labels_in(pa.table(COLUMNS))
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        labels_in(np.eye(2))


@pytest.mark.parametrize("data", ["CCO", b"CCO", 3.0, None, Chem.MolFromSmiles("CCO")])
def test_a_single_value_is_refused_as_no_list(data):
    with pytest.raises(InputError, match="Give a list of molecules"):
        molecules_in(data)
