"""Every way in which a support set can be odd, by the id of its case (C1 to C27)."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from molmeta.assays import entries
from molmeta.assays.support import SupportSet, build_support, read_support
from molmeta.assays.tables import open_table
from molmeta.errors import ConfigError, InputError, MolmetaError, SupportError

ACTIVES = ["CCO", "CCCO", "CCCCO", "CCCCCO"]
INACTIVES = ["CCN", "CCCN", "CCCCN", "CCCCCN"]
SMILES = [*ACTIVES, *INACTIVES]
LABELS = [1, 1, 1, 1, 0, 0, 0, 0]

Read = Callable[..., SupportSet]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: str, **settings: Any) -> SupportSet:
        path = tmp_path / "assay.csv"
        path.write_text(content)
        with open_table(path) as table:
            return read_support(table, **settings)

    return read


def statuses(support: SupportSet) -> list[str]:
    return [str(row.status) for row in support.rows]


def test_a_sound_support_set_is_sorted_and_complete() -> None:
    support = build_support(SMILES, LABELS)
    assert [molecule.smiles for molecule in support.molecules] == sorted(SMILES)
    assert dict(zip(sorted(SMILES), support.labels, strict=True)) == dict(
        zip(SMILES, LABELS, strict=True)
    )
    assert statuses(support) == ["ok"] * 8
    assert [row.number for row in support.rows] == list(range(1, 9))
    assert support.notes == ()
    assert len(support) == 8


REFUSED: list[tuple[str, Sequence[object], Sequence[object], dict[str, Any], str]] = [
    ("C1 no rows", [], [], {}, "none of the 0 rows"),
    ("C1 no usable row", ["CCO", "C1"], ["", "1"], {}, "1 x label_error"),
    ("C2 one compound", ["CCO"], ["1"], {}, "the only usable compound is active"),
    ("C2 one compound twice", ["CCO", "OCC"], [1, 1], {}, "the only usable compound is active"),
    ("C3 all active", ACTIVES, [1] * 4, {}, "all 4 compounds are active; .* inactive"),
    ("C3 all inactive", ACTIVES, ["i"] * 4, {}, "all 4 compounds are inactive; .* active"),
    ("C5 unknown words", SMILES, ["maybe"] * 8, {}, "'maybe'"),
    ("C6 codes", SMILES, [1, 2] * 4, {}, "--threshold 2 --active above"),
    ("C8 values", SMILES, [0.1 * n for n in range(8)], {}, "--threshold"),
    ("C9 classes", SMILES, ["a", "i"] * 4, {"threshold": 1, "active": "above"}, "classes already"),
    ("C11 units", SMILES, ["5 nM", "5 %"] * 4, {"threshold": 1, "active": "above"}, "one unit"),
    (
        "C12 threshold in nM, values in pIC50",
        SMILES,
        [5.5, 6, 7, 8] * 2,
        {"threshold": 1000, "active": "below"},
        "as pIC50 values do",
    ),
    ("C15 error", ["CCO", "CCO", "C"], [1, 0, 1], {"conflict": "error"}, "rows 1, 2 .CCO."),
    ("C15 nothing left", ["CCO", "CCO"], [1, 0], {}, "2 x conflict"),
    (
        "C16 error",
        ["C", "C"],
        [1, 9],
        {"threshold": 5, "active": "above", "conflict": "error"},
        "C",
    ),
    ("C23 no SMILES", ["aspirin", "C1"], [1, 0], {}, "1 x parse_error"),
    ("C26 infinite", SMILES, [np.inf] * 8, {"threshold": 5, "active": "above"}, "not finite"),
]


@pytest.mark.parametrize(
    ("smiles", "labels", "settings", "said"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_what_teaches_nothing_is_refused_with_a_sentence(
    smiles: list[object], labels: list[object], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SupportError, match=said):
        build_support(smiles, labels, **settings)


TAKEN: list[tuple[str, list[object], list[object], dict[str, Any], list[str], list[float], str]] = [
    ("C4 two compounds", ["CCO", "CCN"], [1, 0], {}, ["ok"] * 2, [0, 1], "only 2 compounds"),
    ("C4 three compounds", ["C", "CC", "CCC"], [1, 0, 0], {}, ["ok"] * 3, [1, 0, 0], "only 3"),
    (
        "C7 empty labels",
        ["C", "CC", "CCC", "CCCC"],
        ["1", "", float("nan"), "0"],
        {},
        ["ok", "label_error", "label_error", "ok"],
        [1, 0],
        "2 x label_error (row 2: no label)",
    ),
    (
        "C10 bounds",
        ["C", "CC", "CCC", "CCCC"],
        [">10 uM", "0.5 uM", ">0.1 uM", "300 nM"],
        {"threshold": "1 uM", "active": "below"},
        ["ok", "ok", "label_error", "ok"],
        [0, 1, 1],
        "either side of the threshold",
    ),
    (
        "C11 zero",
        ["C", "CC", "CCC"],
        ["0 nM", "5 nM", "5000 nM"],
        {"threshold": 100, "active": "below"},
        ["label_error", "ok", "ok"],
        [1, 0],
        "above zero",
    ),
    (
        "C13 the direction is told",
        ["C", "CC"],
        [5, 9],
        {"threshold": 6, "active": "above"},
        ["ok", "ok"],
        [0, 1],
        "active means a value >= 6",
    ),
    (
        "C14 duplicate",
        ["CCO", "CCN", "OCC"],
        [1, 0, 1],
        {},
        ["ok", "ok", "ok_changed"],
        [0, 1],
        "1 rows repeat a compound and were merged into it: 3",
    ),
    (
        "C15 drop",
        ["CCO", "CCN", "OCC", "CCC"],
        [1, 0, 0, 1],
        {},
        ["conflict", "ok", "conflict", "ok"],
        [1, 0],
        "rows 1, 3 (CCO) are active and inactive both, and were left out",
    ),
    (
        "C15 majority",
        ["CCO", "CCN", "OCC", "C(O)C"],
        [1, 0, 0, 1],
        {"conflict": "majority"},
        ["ok", "ok", "conflict", "ok_changed"],
        [0, 1],
        "the majority counts",
    ),
    (
        "C15 no majority",
        ["CCO", "CCN", "OCC", "C"],
        [1, 0, 0, 1],
        {"conflict": "majority"},
        ["conflict", "ok", "conflict", "ok"],
        [1, 0],
        "were left out",
    ),
    (
        "C16 replicate values",
        ["CCO", "CCN", "OCC", "OCC"],
        ["10 nM", "9000 nM", "20 nM", "8000 nM"],
        {"threshold": 1000, "active": "below"},
        ["ok_changed", "ok", "ok_changed", "ok_changed"],
        [0, 1],
        "rows 1, 3, 4 lie 2.9 log units apart; the median of 3 values, 20, counts",
    ),
    (
        "C17 salt",
        ["CC(=O)O", "CCN", "CC(=O)[O-].[Na+]"],
        [1, 0, 1],
        {},
        ["ok", "ok", "ok_changed"],
        [1, 0],
        "repeat a compound",
    ),
    (
        "C17 stereoisomers and tautomers",
        ["C[C@H](N)CO", "C[C@@H](N)CO", "Oc1ccccn1", "O=c1cccc[nH]1"],
        [1, 0, 1, 0],
        {},
        ["ok"] * 4,
        [0, 1, 0, 1],
        "2 groups of rows differ only as stereoisomers or tautomers do, and count as different "
        "compounds: rows 1, 2; 3, 4",
    ),
    (
        "C26 tiny",
        ["C", "CC"],
        ["1e-9", "5e-324"],
        {"threshold": 1e-10, "active": "below"},
        ["ok", "ok"],
        [0, 1],
        "",
    ),
    (
        "C26 infinite",
        ["C", "CC", "CCC"],
        [np.inf, 1e308, 1],
        {"threshold": 5, "active": "above"},
        ["label_error", "ok", "ok"],
        [1, 0],
        "not finite",
    ),
    (
        "bad SMILES",
        ["CCO", "C1", None, "CCN"],
        [1, 1, 1, 0],
        {},
        ["ok", "parse_error", "empty", "ok"],
        [0, 1],
        "1 x empty",
    ),
]


@pytest.mark.parametrize(
    ("smiles", "labels", "settings", "rows", "classes", "said"),
    [case[1:] for case in TAKEN],
    ids=[case[0] for case in TAKEN],
)
def test_every_row_has_its_verdict_and_the_notes_say_why(
    smiles: list[object],
    labels: list[object],
    settings: dict[str, Any],
    rows: list[str],
    classes: list[float],
    said: str,
) -> None:
    support = build_support(smiles, labels, **settings)
    assert statuses(support) == rows
    assert list(support.labels) == classes
    assert said in "\n".join(support.notes)
    failed = [row for row in support.rows if row.status not in ("ok", "ok_changed")]
    assert all(row.reason for row in failed)


def test_a_salt_merged_into_its_parent_is_reported_as_such() -> None:  # C17
    row = build_support(["CC(=O)O", "CCN", "CC(=O)[O-].[Na+]"], [1, 0, 1]).rows[2]
    assert "salt" in row.reason
    assert "merged: the compound of row 1" in row.reason


@pytest.mark.parametrize(("threshold", "label"), [("31 nM", 1.0), ("29 nM", 0.0)])
def test_the_median_of_two_concentrations_is_their_geometric_mean(
    threshold: str, label: float
) -> None:  # C16
    smiles, labels = ["C", "C", "CC", "CCC"], ["1 nM", "900 nM", "1 nM", "1 uM"]
    assert build_support(smiles, labels, threshold=threshold, active="below").labels[0] == label


def test_actives_alone_are_taken_on_request() -> None:  # C2, C3
    assert build_support(["CCO"], [1], allow_tiny=True).labels == (1.0,)
    for smiles, labels in (([], []), (["CCO"], [0]), (["C1"], [1])):
        with pytest.raises(SupportError):
            build_support(smiles, labels, allow_tiny=True)


@pytest.mark.parametrize("conflict", ["drop", "majority"])
@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_does_not_matter(seed: int, conflict: Any) -> None:  # C27
    rows = [
        *zip(SMILES, LABELS, strict=True),
        ("OCC", 0),
        ("CC[O-].[Na+]", 0),
        ("NCC", 0),
        ("C1", 1),
        ("CCF", None),
    ]
    first = build_support(*zip(*rows, strict=True), conflict=conflict)
    random.Random(seed).shuffle(rows)
    again = build_support(*zip(*rows, strict=True), conflict=conflict)
    assert [m.smiles for m in again.molecules] == [m.smiles for m in first.molecules]
    assert [m.reason for m in again.molecules] == [m.reason for m in first.molecules]
    assert [m.ranks for m in again.molecules] == [m.ranks for m in first.molecules]
    assert again.labels == first.labels


def test_many_rows_are_allowed_up_to_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:  # C20
    assert entries.MAX_ROWS == 10_000
    monkeypatch.setattr(entries, "MAX_ROWS", 60)
    monkeypatch.setattr(entries, "LARGE", 20)
    chains = ["C" * n for n in range(1, 62)]
    labels = [n % 2 for n in range(61)]
    assert "ordinary QSAR" in " ".join(build_support(chains[:60], labels[:60]).notes)
    with pytest.raises(SupportError, match="at most 60 rows"):
        build_support(chains, labels)


def test_a_rare_class_is_noted() -> None:  # C21
    chains = ["C" * n for n in range(1, 42)]
    built = build_support(chains, [1] + [0] * 40)
    assert sum(built.labels) == 1
    assert any("1 of 41 compounds are active (2.4%)" in note for note in built.notes)


@pytest.mark.parametrize(
    ("smiles", "labels"), [(["C"], [1, 0]), ("CC", [1, 0]), (["C", "CC"], "10")]
)
def test_anything_but_two_lists_of_one_length_is_refused(smiles: Any, labels: Any) -> None:
    with pytest.raises(InputError):
        build_support(smiles, labels)


def test_an_unknown_policy_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="'keep'"):
        build_support(SMILES, LABELS, conflict="keep")  # type: ignore[arg-type]


def test_arrays_and_text_are_taken_as_labels() -> None:  # C5
    expected = build_support(SMILES, LABELS).labels
    for labels in (
        np.array(LABELS),
        np.array(LABELS, dtype=bool),
        np.array(LABELS, dtype=np.float32),
        [bool(x) for x in LABELS],
        ["Active" if x else "inactive " for x in LABELS],
    ):
        assert build_support(np.array(SMILES), labels).labels == expected  # type: ignore[arg-type]


FILE = "smiles,name,{label}\nCCO,a,1\nCCN,b,0\nC1,c,x\nCCF\n"


@pytest.mark.parametrize("label", ["label", "Active", "ACTIVITY", "class", "outcome", "y", "Y"])
def test_a_known_label_header_is_found(read: Read, label: str) -> None:
    built = read(FILE.format(label=label))
    assert statuses(built) == ["ok", "ok", "parse_error", "parse_error"]
    assert [row.label_text for row in built.rows] == ["1", "0", "x", ""]
    assert f"labels are taken from column '{label}'" in built.notes


def test_the_only_other_column_is_the_label(read: Read) -> None:
    assert read("smiles,hERG\nCCO,1\nCCN,0\n").labels == (0.0, 1.0)


def test_a_named_label_column_is_used(read: Read) -> None:
    content = "smiles,label,IC50\nCCO,0,5\nCCN,1,5000\n"
    built = read(content, label_column="IC50", threshold=10, active="below")
    assert built.labels == (0.0, 1.0)


@pytest.mark.parametrize(
    ("content", "settings", "error", "said"),
    [
        ("smiles\nCCO\nCCN\n", {}, SupportError, "none beside the molecules"),  # C24
        ("smiles,id\nCCO,M1\nCCN,M2\n", {}, SupportError, "labels are taken from column 'id'"),
        ("smiles,a,b\nCCO,1,2\nCCN,0,2\n", {}, SupportError, "columns are 'smiles', 'a', 'b'"),
        ("smiles,label,label\nCCO,1,0\nCCN,0,0\n", {}, InputError, "2 columns called 'label'"),
        ("smiles,lable\nCCO,1\n", {"label_column": "label"}, InputError, "did you mean 'lable'"),
        ("smiles,label\n", {}, SupportError, "none of the 0 rows"),  # C1
        ("smiles,y\nCCO,5\nCCN,9\n", {"threshold": 6}, ConfigError, "above or below"),  # C13
    ],
)
def test_a_file_that_is_no_support_set_is_refused(
    read: Read, content: str, settings: dict[str, Any], error: type[MolmetaError], said: str
) -> None:
    with pytest.raises(error, match=said):
        read(content, **settings)


def test_reading_stops_at_the_cap(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:  # C20
    monkeypatch.setattr(entries, "MAX_ROWS", 3)
    with pytest.raises(SupportError, match="at most 3 rows"):
        read("smiles,y\n" + "CCO,1\n" * 4)


def test_numbers_take_the_unit_of_their_header(read: Read) -> None:
    found = read(
        "smiles,IC50 (nM)\nCCO,120\nCCN,5 uM\nCCC,>10000\nCCCl,1000\n",
        threshold="1 uM",
        active="below",
    )
    labels = dict(zip((m.smiles for m in found.molecules), found.labels, strict=True))
    assert labels == {"CCO": 1.0, "CCN": 0.0, "CCC": 0.0, "CCCl": 1.0}


def test_a_concentration_of_zero_is_refused_where_the_header_gives_the_unit(read: Read) -> None:
    found = read(
        "smiles,IC50 (nM)\nCCO,0\nCCN,120\nCCC,<-5\nCCCl,5000\n", threshold=1000, active="below"
    )
    statuses = [row.status for row in found.rows]
    assert statuses == ["label_error", "ok", "label_error", "ok"]
    assert "above zero" in found.rows[0].reason
