"""Measured rows to a support of values: each row with its verdict, each compound once."""

import random
from pathlib import Path

import pytest

from molmeta.assays.measured_support import (
    MeasuredSupport,
    build_measured_support,
    read_measured_support,
)
from molmeta.assays.tables import open_table
from molmeta.errors import ConfigError, InputError, SupportError


def read(folder: Path, text: str, **settings: str) -> MeasuredSupport:
    path = folder / "assay.csv"
    path.write_text(text)
    with open_table(str(path)) as table:
        return read_measured_support(table, **settings)


def measured(support: MeasuredSupport) -> dict[str, tuple[float, int]]:
    rows = zip(support.molecules, support.values, support.relations, strict=True)
    return {molecule.smiles: (round(value, 4), relation) for molecule, value, relation in rows}


def test_every_row_gets_a_verdict_and_every_compound_a_value() -> None:
    support = build_measured_support(
        ["CCO", "nonsense", "CCN", "CCC", "OCC"], ["5 nM", "6 nM", "> 10 uM", "n.d.", "50 nM"]
    )
    assert measured(support) == {"CCN": (5, -1), "CCO": (7.801, 0)}
    statuses = [str(row.status) for row in support.rows]
    assert statuses == ["ok_changed", "not_smiles", "ok", "label_error", "ok_changed"]
    assert (
        support.rows[4].reason
        == "merged: the compound of row 1; the median of 2 values, 7.801, counts"
    )
    assert support.unit == "pIC50"


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = [("CCO", "5 nM"), ("OCC", ">1 nM"), ("CCN", "7 uM"), ("CCC", "> 9 uM"), ("NCC", "9 uM")]
    first = build_measured_support(*zip(*rows, strict=True))
    for _ in range(5):
        random.shuffle(rows)
        again = build_measured_support(*zip(*rows, strict=True))
        assert measured(again) == measured(first)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["6", "7", "8.5"], (7, 0)),
        (["6", "<7", ">5"], (6, 0)),
        (["<7", "<6", "<8"], (6, -1)),
        ([">5", ">4"], (5, 1)),
        (["6", "<5"], None),
        (["6", ">7"], None),
        ([">5", "<7"], None),
    ],
)
def test_replicates_and_bounds_of_one_compound_come_to_one_value(
    values: list[str], found: tuple[float, int] | None
) -> None:
    support = build_measured_support(["CCO"] * len(values) + ["CCN"], [*values, "5"])
    assert measured(support).get("CCO") == found
    if found is None:
        assert {str(row.status) for row in support.rows[:-1]} == {"conflict"}
        assert any("were left out" in note for note in support.notes)


def test_relations_stand_for_marks() -> None:
    support = build_measured_support(["CCO", "CCN"], [5.0, 6.0], [0, -1])
    assert measured(support) == {"CCO": (5, 0), "CCN": (6, -1)}
    with pytest.raises(InputError, match="0, 1 or -1"):
        build_measured_support(["CCO", "CCN"], [5.0, 6.0], [0, 2])
    with pytest.raises(InputError, match="2 values but 1 relations"):
        build_measured_support(["CCO", "CCN"], [5.0, 6.0], [0])


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ConfigError, match="not 'nm'"):
        build_measured_support(["CCO", "CCN"], [5.0, 6.0], unit="nm")


def test_the_unit_is_read_from_the_header(tmp_path: Path) -> None:
    support = read(tmp_path, "smiles,IC50 (nM)\nCCO,100\nCCN,>10000\n")
    assert measured(support) == {"CCO": (7, 0), "CCN": (5, -1)}
    assert "values are taken from column 'IC50 (nM)'" in support.notes
    assert any("6 is 1 uM" in note for note in support.notes)


def test_a_plain_pic50_column_is_taken_as_it_is(tmp_path: Path) -> None:
    support = read(tmp_path, "smiles,id,pIC50\nCCO,1,7.1\nCCN,2,<5\n")
    assert measured(support) == {"CCO": (7.1, 0), "CCN": (5, -1)}
    assert any("taken as they are" in note for note in support.notes)


def test_concentrations_without_a_unit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SupportError, match=r"concentrations without a unit.*'IC50 \(nM\)'"):
        read(tmp_path, "smiles,IC50\nCCO,100\nCCN,10000\n")
    assert len(read(tmp_path, "smiles,IC50\nCCO,100 nM\nCCN,10 uM\n")) == 2


def test_which_column_holds_the_values_must_be_clear(tmp_path: Path) -> None:
    text = "smiles,a,b\nCCO,5,6\nCCN,6,7\n"
    with pytest.raises(SupportError, match="several could be it"):
        read(tmp_path, text)
    assert measured(read(tmp_path, text, value_column="b"))["CCO"] == (6, 0)


def test_rows_of_which_none_can_be_used_are_refused() -> None:
    with pytest.raises(SupportError, match="none of the 2 rows can be used"):
        build_measured_support(["CCO", "CCN"], ["active", ""])


def test_a_wide_spread_of_replicates_is_noted() -> None:
    support = build_measured_support(["CCO", "CCO", "CCN"], [5.0, 7.5, 6.0])
    assert any("rows 1, 2 lie 2.5 apart" in note for note in support.notes)
