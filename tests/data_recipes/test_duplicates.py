"""Rows of one compound to one row: each line of the policy, by hand."""

from pathlib import Path

import pyarrow as pa
import pytest

from data_recipes.building import Build
from data_recipes.duplicates import merge_duplicates
from molmeta.assays.label_column import Label
from molmeta.assays.replicates import Replicate, merge
from molmeta.chem.intake import read_smiles

MERGED = "rows into another of the same compound and assay"
BOUNDS = "rows whose bounds contradict their compound's others"
SPREAD = "compounds whose values lie more than one log unit apart"


@pytest.fixture
def build() -> Build:
    return Build(Path("unused"), Path("unused"))


def merged(build: Build, **columns: list[object]) -> dict[str, list[object]]:
    return merge_duplicates(pa.table(columns), build, workers=1).to_pydict()


def test_a_compound_is_one_however_it_is_written(build):
    rows = merged(
        build,
        assay_id=["A", "A", "B", "A", "A", "A"],
        smiles=["CCO", "CC(=O)O", "OCC", "OCC", "CC(=O)[O-].[Na+]", "C[C@H](N)O"],
        label=[1, 0, 1, 1, 0, 1],
        target_id=["first", "x", "b", "second", "y", "z"],
    )
    assert rows == {
        "assay_id": ["A", "A", "B", "A"],
        "smiles": ["CCO", "CC(=O)O", "OCC", "C[C@H](N)O"],
        "label": [1, 0, 1, 1],
        "target_id": ["first", "x", "b", "z"],
    }
    assert build.counts == {"merged": {MERGED: 2}}


def test_contradictory_labels_are_dropped_in_their_assay_alone(build):
    rows = merged(
        build,
        assay_id=["A", "A", "A", "B"],
        smiles=["CCO", "CCN", "OCC", "CCO"],
        label=[1, 1, 0, 0],
    )
    assert rows == {"assay_id": ["A", "B"], "smiles": ["CCN", "CCO"], "label": [1, 0]}
    assert build.counts == {"dropped": {"rows whose labels contradict each other": 2}}


def test_what_cannot_be_read_is_dropped(build):
    rows = merged(build, assay_id=["A"] * 4, smiles=["CCO", "C(", None, ""], label=[1] * 4)
    assert rows["smiles"] == ["CCO"]
    assert build.counts == {"dropped": {"rows whose molecule cannot be read": 3}}


@pytest.mark.parametrize(
    ("given", "kept", "counts"),
    [
        ([(5.0, "="), (5.5, "="), (6.0, "=")], (5.5, "="), {"merged": {MERGED: 2}}),
        ([(5.0, "="), (6.0, "")], (5.5, "="), {"merged": {MERGED: 1}}),
        ([(5.0, "="), (6.5, "=")], (5.75, "="), {"merged": {MERGED: 1}, "noted": {SPREAD: 1}}),
        ([(5.0, "="), (None, "")], (5.0, "="), {"merged": {MERGED: 1}}),
        # A concentration of > 10 uM is a potency below 5.
        ([(5.0, ">"), (4.8, "=")], (4.8, "="), {"merged": {MERGED: 1}}),
        ([(5.0, ">"), (5.2, "=")], None, {"dropped": {BOUNDS: 2}}),
        ([(8.0, "<"), (7.0, "="), (7.2, "=")], None, {"dropped": {BOUNDS: 3}}),
        ([(5.0, ">"), (4.5, ">="), (4.7, ">")], (4.5, ">="), {"merged": {MERGED: 2}}),
        ([(8.0, "<"), (9.0, "<")], (9.0, "<"), {"merged": {MERGED: 1}}),
        ([(5.0, "<"), (9.0, ">")], None, {"dropped": {BOUNDS: 2}}),
    ],
)
def test_values_follow_the_policy(build, given, kept, counts):
    rows = merged(
        build,
        assay_id=["A"] * (len(given) + 1),
        smiles=["CCO"] * len(given) + ["CCN"],
        log_value=[log for log, _ in given] + [7.0],
        relation=[relation for _, relation in given] + ["="],
    )
    expected = [] if kept is None else [kept]
    assert list(zip(rows["log_value"], rows["relation"], strict=True)) == [*expected, (7.0, "=")]
    assert build.counts == counts


def test_concentrations_have_the_median_of_their_logarithms(build):
    rows = merged(
        build,
        assay_id=["A", "A"],
        smiles=["CCO", "OCC"],
        value=[10.0, 1000.0],
        log_value=[8.0, 6.0],
        relation=["=", "="],
    )
    assert rows["value"] == [pytest.approx(100.0)]
    assert rows["log_value"] == [7.0]


def test_values_without_a_logarithm_have_their_own_median(build):
    rows = merged(build, assay_id=["A"] * 3, smiles=["CCO"] * 3, value=[-10.0, 90.0, 50.0])
    assert rows["value"] == [50.0]
    assert build.counts == {"merged": {MERGED: 2}}


def test_classes_merge_as_they_do_in_a_users_support_set(build):
    texts = ["CCO", "OCC", "CCN", "NCC", "CCC"]
    labels = [1, 1, 1, 0, 0]
    rows = merged(build, assay_id=["A"] * 5, smiles=texts, label=labels)
    compounds: dict[str, list[Replicate]] = {}
    for number, (text, label) in enumerate(zip(texts, labels, strict=True), start=1):
        molecule = read_smiles(text)
        replicate = Replicate(number, text, molecule, Label(str(label), label == 1))
        compounds.setdefault(molecule.smiles, []).append(replicate)
    expected = {
        replicates[0].text: int(outcome.active)
        for replicates in compounds.values()
        if (outcome := merge(replicates, None, "drop")).active is not None
    }
    assert dict(zip(rows["smiles"], rows["label"], strict=True)) == expected == {"CCO": 1, "CCC": 0}


def test_workers_give_the_same_rows(build, monkeypatch):
    monkeypatch.setattr("data_recipes.duplicates._CHUNK", 2)
    table = pa.table({"assay_id": ["A"] * 5, "smiles": ["CCO", "OCC", "C(", "CCN", "CCC"]})
    rows = merge_duplicates(table, build, workers=2)
    assert rows["smiles"].to_pylist() == ["CCO", "CCN", "CCC"]
