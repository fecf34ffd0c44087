"""A panel in every form to assays: cells, units, layouts, and a fate for each measurement."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from data_recipes import table
from molmeta.assays.store import open_store


def run(source: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(table.main, ["--source", str(source), "--out", str(out), *options])


class Made:
    """What the recipe made of a file, with every measurement accounted for."""

    def __init__(self, source: Path, *options: str) -> None:
        out = source.with_name(f"{source.name}.out")
        result = run(source, out, "--overwrite", *options)
        assert result.exit_code == 0, result.output
        self.output = result.output
        self.out = out
        self.rows: list[dict[str, Any]] = pq.read_table(out / "assays.parquet").to_pylist()
        self.about = json.loads((out / "dataset.json").read_text())
        counts = self.about["counts"]
        self.dropped: dict[str, int] = counts.get("dropped", {})
        self.merged = sum(counts.get("merged", {}).values())
        assert counts["kept"]["rows"] == len(self.rows)
        n_read = self.about["settings"]["measurements"]
        assert len(self.rows) + self.merged + sum(self.dropped.values()) == n_read

    def labels(self) -> list[tuple[str, str, int]]:
        return [(row["assay_id"], row["smiles"], row["label"]) for row in self.rows]

    def only(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in names) for row in self.rows]


Make = Callable[..., Made]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(text: str, *options: str, name: str = "panel.csv") -> Made:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return Made(path, *options)

    return make


LONG = """smiles,assay,value
CCO,a,active
CCN,a,inactive
CCO,b,0
CCN,b,1
"""
CLASSES = [("a", "CCO", 1), ("a", "CCN", 0), ("b", "CCO", 0), ("b", "CCN", 1)]


def test_a_long_table_has_one_measurement_a_row(make: Make) -> None:
    assert make(LONG).labels() == CLASSES


def test_a_wide_table_has_one_assay_a_column(make: Make) -> None:
    made = make("smiles,a,b\nCCO,active,0\nCCN,inactive,1\n")
    assert made.labels() == CLASSES
    assert "each column is one" in made.output


def test_columns_may_be_named(make: Make) -> None:
    text = "mol,panel,IC50,op,u\nCCO,x,1,<,nM\nCCN,x,3,>,uM\nCCC,x,20,=,uM\n"
    options = ["--smiles-column", "mol", "--assay-column", "panel", "--value-column", "IC50"]
    options += ["--relation-column", "op", "--unit-column", "u"]
    made = make(text, *options, "--threshold", "1 uM", "--active", "below")
    assert made.only("smiles", "label", "value", "log_value", "relation", "unit", "threshold") == [
        ("CCO", 1, 1.0, 9.0, "<", "nM", 6.0),
        ("CCN", 0, 3_000.0, pytest.approx(5.522878745), ">", "nM", 6.0),
        ("CCC", 0, 20_000.0, pytest.approx(4.698970004), "=", "nM", 6.0),
    ]


def test_a_file_from_the_chembl_web_page_is_read_as_it_is(make: Make) -> None:
    made = make(
        "Molecule ChEMBL ID;Smiles;Standard Type;Standard Relation;Standard Value;Standard Units;"
        "Assay ChEMBL ID\n"
        "CHEMBL1;CCO;IC50;'=';120;nM;CHEMBL9\n"
        "CHEMBL2;CCN;IC50;'>';20000;nM;CHEMBL9\n"
        "CHEMBL3;CCC;IC50;'=';;;CHEMBL9\n",
        name="activities.csv",
    )
    assert made.only("assay_id", "smiles", "label", "relation") == [
        ("CHEMBL9", "CCO", 1, "="),
        ("CHEMBL9", "CCN", 0, ">"),
    ]


def test_classes_and_values_may_have_a_column_each(make: Make) -> None:
    made = make("smiles,assay,label,value,unit\nCCO,a,1,9,uM\nCCN,a,0,1,nM\nCCC,a,,1,nM\n")
    assert made.only("smiles", "label", "log_value", "threshold") == [
        ("CCO", 1, pytest.approx(5.045757491), None),
        ("CCN", 0, 9.0, None),
    ]
    assert made.dropped == {"cells without a value": 1}


def test_values_without_a_threshold_follow_the_rule_of_fsmol(make: Make) -> None:
    made = make("smiles,IC50 (uM)\nCCO,1\nCCN,3\nCCC,10\nCCF,100\nCCCl,>5\n")
    (threshold,) = made.about["settings"]["thresholds"].values()
    assert threshold == {"value": pytest.approx(5.301029996), "active": "above"}
    assert made.only("smiles", "label") == [
        ("CCO", 1),
        ("CCN", 1),
        ("CCC", 0),
        ("CCF", 0),
        ("CCCl", 0),
    ]


@pytest.mark.parametrize(
    ("header", "options", "unit", "log_value"),
    [
        ("Ki [nM]", [], "nM", 8.0),
        ("ic50_um", [], "nM", 5.0),
        ("pChEMBL Value", [], "nM", 10.0),
        ("pIC50", [], "nM", 10.0),
        ("result", ["--unit", "mM"], "nM", 2.0),
        ("Ki [nM]", ["--unit", "mM"], "nM", 8.0),
        ("Inhibition (%)", [], "%", None),
        ("% inhibition at 10 uM", [], "%", None),
        ("percent control", [], "%", None),
    ],
)
def test_the_unit_is_in_the_header_or_stated(
    make: Make, header: str, options: list[str], unit: str, log_value: float | None
) -> None:
    made = make(f"smiles,{header}\nCCO,10\n", *options)
    assert made.only("assay_id", "unit", "log_value") == [(header, unit, log_value)]


def test_a_panel_of_all_kinds_of_columns(make: Make) -> None:
    made = make(
        "id,smiles,MW,kinase/EGFR (nM),% inh.,hit,Ätoxicity\n"
        'A-1,CCO,46.1,"0,5",91,Y,+\n'
        "A-2,CCN,45.1,> 10 uM,12,N,-\n"
        "A-3,CCC,44.1,100 - 300,n.d.,,-\n"
        "A-4,CCF,48.1,see notes,47 %,N,+\n"
    )
    assert [(row["assay_id"], row["smiles"], row["label"]) for row in made.rows] == [
        *(("kinase/EGFR (nM)", "CCO", 1), ("kinase/EGFR (nM)", "CCN", 0)),
        ("kinase/EGFR (nM)", "CCC", 1),
        *(("% inh.", "CCO", 1), ("% inh.", "CCN", 0), ("% inh.", "CCF", 0)),
        *(("hit", "CCO", 1), ("hit", "CCN", 0), ("hit", "CCF", 0)),
        *(("Ätoxicity", "CCO", 1), ("Ätoxicity", "CCN", 0)),
        *(("Ätoxicity", "CCC", 0), ("Ätoxicity", "CCF", 1)),
    ]
    left_out = made.about["settings"]["left_out"]
    assert set(left_out) == {"id", "MW"}
    assert "such as 'A-1'" in left_out["id"]
    assert "its values have no unit" in left_out["MW"]
    assert made.about["settings"]["not_understood"] == [
        "row 4, kinase/EGFR (nM): 'see notes' is neither a class nor a number"
    ]
    assert made.dropped == {
        "cells of assays that are left out": 8,
        "cells that are not understood": 1,
        "cells without a value": 1,
        "empty cells": 1,
    }


def test_a_unit_unlike_the_rest_of_its_assay_is_dropped(make: Make) -> None:
    made = make("smiles,assay,value,unit\nCCO,a,1,nM\nCCN,a,2,uM\nCCC,a,50,%\nCCF,a,5,pIC50\n")
    assert [row["smiles"] for row in made.rows] == ["CCO", "CCN", "CCF"]
    assert made.dropped == {"cells in a unit unlike most of their assay": 1}


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("smiles,x\nCCO,5\nCCN,9\n", [], "its values have no unit"),
        ("smiles,x\nCCO,1\nCCN,2\n", [], "its values have no unit"),
        ("smiles,x\nCCO,5 nM\nCCN,9 uM\n", ["--threshold", "7"], "in nM and uM; state the unit"),
        ("smiles,x\nCCO,5 %\nCCN,9 %\n", ["--threshold", "7 nM"], "in nM, its values in %"),
        ("smiles,x\nCCO,5\nCCN,9\n", ["--threshold", "7 nM"], "its values in no unit"),
        ("smiles,x\nCCO,5 nM\nCCN,9 nM\n", ["--threshold", "0"], "cannot be in nM"),
        ("smiles,x\nCCO,blue\nCCN,A\nCCF,red\n", [], "neither classes nor values, such as 'blue'"),
        ("smiles,assay,label\nCCO,a,1.5\nCCN,a,2\n", [], "its values have no unit"),
    ],
)
def test_an_assay_that_cannot_be_read_is_left_out_with_the_reason(
    tmp_path: Path, text: str, options: list[str], why: str
) -> None:
    path = tmp_path / "panel.csv"
    path.write_text(text)
    active = ["--active", "below"] if options else []
    result = run(path, tmp_path / "out", *options, *active)
    assert result.exit_code == 3, result.output
    assert why in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["panel.csv"]


@pytest.mark.parametrize(
    ("text", "options", "code", "why"),
    [
        (LONG, ["--threshold", "5"], 2, "say which side is active"),
        (LONG, ["--unit", "furlong"], 2, "--unit furlong is not known"),
        (LONG, ["--wide", "--assay-column", "assay"], 2, "exclude each other"),
        (LONG, ["--value-column", "value", "--value-column", "assay"], 2, "one column of values"),
        (LONG, ["--assay-column", "target"], 3, "has no column 'target'"),
        ("smiles,assay\nCCO,a\n", [], 3, "no column called 'value' or 'label'"),
        ("smiles\nCCO\n", [], 3, "no column beside the molecules"),
        ("smiles,a,a\nCCO,1,0\n", [], 3, "2 columns called 'a'"),
        ("smiles,a\nCCO,1\n", ["--unit-column", "a"], 2, "belong to the long form"),
        ("smiles,a\nCCO,\n", [], 3, "no measurement can be used"),
        ("smiles,a\nC1CC,1\n", [], 3, "Nothing is left to write"),
    ],
)
def test_settings_and_files_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, options: list[str], code: int, why: str
) -> None:
    path = tmp_path / "panel.csv"
    path.write_text(text)
    result = run(path, tmp_path / "out", *options)
    assert why in result.output
    assert result.exit_code == code


def test_compounds_of_one_assay_are_merged_or_contradict_each_other(make: Make) -> None:
    made = make(
        "smiles,assay,value\nCCO,a,1 nM\nOCC,a,100 nM\nCCN,a,active\nCCN,a,inactive\n"
        "CCF,a,active\nCCF,a,90 uM\nCCBr,a,50 uM\nCCC,a,40 uM\n"
    )
    assert made.only("smiles", "label", "log_value") == [
        ("CCO", 1, pytest.approx(8.0)),
        ("CCBr", 0, pytest.approx(4.301029996)),
        ("CCC", 1, pytest.approx(4.397940009)),  # above the median, 4.35
    ]
    assert made.dropped["compounds whose class and value contradict each other"] == 1


def test_damaged_rows_and_nameless_assays_are_counted(make: Make) -> None:
    made = make("smiles,assay,value\nCCO,a,1\nCCN,a\nCCC,,1\nCCF,a,0,9\nxyz,a,1\n")
    assert made.labels() == [("a", "CCO", 1)]
    assert sum(made.dropped.values()) == 4


def test_every_format_gives_the_same_rows(make: Make, tmp_path: Path) -> None:
    (tmp_path / "panel.tsv.gz").write_bytes(gzip.compress(LONG.replace(",", "\t").encode()))
    columns = zip(*(line.split(",") for line in LONG.splitlines()), strict=True)
    pq.write_table(pa.table({name: cells for name, *cells in columns}), tmp_path / "panel.parquet")
    with Chem.SDWriter(str(tmp_path / "panel.sdf")) as writer:
        for line in LONG.splitlines()[1:]:
            smiles, assay, value = line.split(",")
            mol = Chem.MolFromSmiles(smiles)
            mol.SetProp("assay", assay)
            mol.SetProp("value", value)
            writer.write(mol)
    for name in ("panel.tsv.gz", "panel.parquet", "panel.sdf"):
        assert Made(tmp_path / name).labels() == CLASSES


def test_thousands_of_assays_keep_their_names_and_order(make: Make) -> None:
    names = [f"assay {n}/ü" for n in range(2_000)]
    made = make(f"smiles,{','.join(names)}\n" + f"CCO{',1' * 2_000}\n" + f"CCN{',0' * 2_000}\n")
    assert list(dict.fromkeys(row["assay_id"] for row in made.rows)) == names
    assert len(open_store(made.out, workers=1)) == 2_000


def test_the_same_file_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    made = make(LONG)
    assert run(tmp_path / "panel.csv", tmp_path / "again").exit_code == 0
    for name in ("assays.parquet", "dataset.json"):
        assert (made.out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


CELLS = st.sampled_from(
    [
        *("", "1", "0", "active", "inactive", "n.d.", "5 nM", ">10 uM", "< 3 nM", "~2 uM", "blue"),
        *("1,5 uM", "10-30 nM", "1 - 900 nM", "7.5 pIC50", "55 %", "> 50 %", "12", "-4", "0 nM"),
        *("+", "-"),
    ]
)
SMILES = st.sampled_from(["CCO", "OCC", "CCN", "CCC", "CC.Cl", "C1CC", "", "aspirin", "[Na+]"])
NAMES = st.sampled_from(["a", "b/c", " a ", "", "ä"])


@given(st.lists(st.tuples(SMILES, NAMES, CELLS), min_size=1, max_size=25))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_measurement_is_kept_merged_or_dropped(
    tmp_path: Path, rows: list[tuple[str, str, str]]
) -> None:
    # Two rows of their own, so that something is always kept.
    lines = ['"CCF","own","active"', '"CCBr","own","inactive"']
    lines += [f'"{smiles}","{name}","{cell}"' for smiles, name, cell in rows]
    path = tmp_path / "panel.csv"
    path.write_text("smiles,assay,value\n" + "\n".join(lines) + "\n", encoding="utf-8")
    made = Made(path)  # holds the identity
    assert made.about["settings"]["measurements"] == len(rows) + 2
    assert {("own", "CCF", 1), ("own", "CCBr", 0)} <= set(made.labels())
    compounds = [(row["assay_id"], row["smiles"]) for row in made.rows]
    assert len(set(compounds)) == len(compounds)
