"""The novel fold, cut out of small tables: what it may share with the rest, and what decides it."""

import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from data_recipes.novel import Rules, _shares, build_novel, main
from molmeta.assays.leakage import leaks_between
from molmeta.assays.store import open_store
from molmeta.errors import InputError
from tests.molecules import DRUGS

Row = dict[str, Any]
SMALL = Rules(assays=2, least_assays=1, molecules=3, alike=1.01, rest_rows=2)

# Five constitutions, each as both enantiomers and drawn flat.
FLAT = [f"{'C' * n}CC(F)Cl" for n in range(5)]
ISOMERS = {
    form: flat
    for flat in FLAT
    for form in (flat, flat.replace("C(F)", "[C@H](F)"), flat.replace("C(F)", "[C@@H](F)"))
}
OWN = [f"{'N' if n % 2 else 'O'}CC{'C' * n}Br" for n in range(4)]


def rows_of(assay: str, smiles: list[str], **columns: Any) -> list[Row]:
    """Rows of one assay, in turn active and inactive."""
    return [
        {"assay_id": assay, "smiles": text, "label": i % 2, **columns}
        for i, text in enumerate(smiles)
    ]


def build(folder: Path, rows: list[Row], rules: Rules = SMALL) -> tuple[list[Row], list[Row]]:
    """Rows of the novel fold, and of the rest."""
    pq.write_table(pa.Table.from_pylist(rows), folder / "assays.parquet")
    build_novel(folder / "assays.parquet", folder / "out", rules, overwrite=True)
    novel, rest = (pq.read_table(folder / "out" / f"{n}.parquet") for n in ("novel", "train"))
    return novel.to_pylist(), rest.to_pylist()


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "dataset.json").read_text())
    return found


def ids(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["assay_id"] for row in rows))


def drawn_rows() -> st.SearchStrategy[list[Row]]:
    """An assay fit for the fold, one that remains, and up to four of molecules in common."""
    cells = st.tuples(st.sampled_from([*ISOMERS, OWN[0]]), st.integers(0, 1))
    assays = st.lists(st.lists(cells, min_size=1, max_size=8), max_size=4)
    sure = rows_of("sure", OWN) + rows_of("rest", ["CCO", "CCN"])
    return assays.map(
        lambda drawn: [
            *sure,
            *(
                {"assay_id": f"A{i}", "smiles": smiles, "label": label}
                for i, assay in enumerate(drawn)
                for smiles, label in assay
            ),
        ]
    )


def flat(row: Row) -> str:
    return ISOMERS.get(row["smiles"], row["smiles"])


@settings(max_examples=20, deadline=None)
@given(drawn_rows(), st.randoms(use_true_random=False))
def test_nothing_is_shared_and_nothing_else_is_lost(rows: list[Row], chance: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        novel, rest = build(Path(folder), rows)
        again = rows.copy()
        chance.shuffle(again)
        novel_again, rest_again = build(Path(folder), again)
    novel_molecules = {flat(row) for row in novel}
    assert novel_molecules.isdisjoint({flat(row) for row in rest})
    assert set(ids(novel)).isdisjoint(ids(rest))
    assert 1 <= len(ids(novel)) <= 2
    for assay in ids(novel):
        own = [row for row in rows if row["assay_id"] == assay]
        assert [row for row in novel if row["assay_id"] == assay] == own
        assert len({flat(row) for row in own}) >= 3
        assert len({row["label"] for row in own}) == 2
    others = [r for r in rows if r["assay_id"] not in ids(novel) and flat(r) not in novel_molecules]
    large = {
        assay
        for assay in ids(others)
        if len(left := [r["label"] for r in others if r["assay_id"] == assay]) >= 2
        and len(set(left)) == 2
    }
    assert rest == [row for row in others if row["assay_id"] in large]

    def content(table: list[Row]) -> list[tuple[Any, ...]]:
        return sorted(tuple(row.values()) for row in table)

    assert content(novel_again) == content(novel)
    assert content(rest_again) == content(rest)


def test_the_leak_check_finds_nothing(tmp_path: Path) -> None:
    rules = Rules(assays=1, least_assays=1, molecules=3, rest_rows=2)
    build(tmp_path, [*rows_of("A", DRUGS[:30]), *rows_of("B", DRUGS[20:60])], rules)
    folds = {n: open_store(tmp_path / "out" / f"{n}.parquet") for n in ("novel", "train")}
    leak = leaks_between(folds)["novel", "train"]
    assert leak.molecules.tolist() == []
    assert leak.molecules_without_stereo is not None
    assert leak.molecules_without_stereo.tolist() == []
    assert leak.n_shared_assays == 0


def test_an_assay_whose_molecules_many_others_have_is_not_cut_out(tmp_path: Path) -> None:
    popular = [row for i in range(3) for row in rows_of(f"P{i}", DRUGS[:10])]
    novel, _ = build(tmp_path, [*popular, *rows_of("own", DRUGS[20:24])])
    assert ids(novel) == ["own"]


def test_stereoisomers_count_as_one_molecule(tmp_path: Path) -> None:
    rows = [*rows_of("isomers", list(ISOMERS)[:6]), *rows_of("own", OWN)]
    novel, rest = build(tmp_path, [*rows, *rows_of("rest", ["CCO", "CCN"])])
    assert ids(novel) == ["own"]
    assert ids(rest) == ["isomers", "rest"]


def test_a_second_assay_of_the_same_chemistry_is_passed_over(tmp_path: Path) -> None:
    # Longer chains have the same environments: the cosine is far above 0.8.
    amines = [
        rows_of(f"amines {i}", [f"N{'C' * n}" for n in range(8 + i, 40, 4)]) for i in range(4)
    ]
    rows = [row for assay in amines for row in assay]
    rows += rows_of("drugs", DRUGS[:20])
    rules = Rules(assays=2, least_assays=2, molecules=3, rest_rows=2)
    novel, _ = build(tmp_path, rows, rules)
    assert len(ids(novel)) == 2
    assert "drugs" in ids(novel)


def test_target_families_share_the_fold_where_they_are_known(tmp_path: Path) -> None:
    rows = []
    for i in range(8):
        family = "kinase" if i < 6 else "protease"
        rows += rows_of(
            f"A{i}", list(DRUGS[8 * i : 8 * i + 8]), target_family=family, assay_type=f"T{i}"
        )
    novel, _ = build(tmp_path, rows, Rules(assays=4, least_assays=4, molecules=8, rest_rows=2))
    families = Counter(row["target_family"] for row in novel)
    assert families == {"kinase": 24, "protease": 8}
    assert document(tmp_path)["settings"]["strata"] == "target_family"


def test_without_a_family_the_assay_type_divides_the_fold(tmp_path: Path) -> None:
    rows = []
    for i in range(4):
        rows += rows_of(
            f"A{i}", list(DRUGS[8 * i : 8 * i + 8]), target_family=None, assay_type="AB"[i % 2]
        )
    novel, _ = build(tmp_path, rows, Rules(assays=2, least_assays=2, molecules=8, rest_rows=2))
    assert {row["assay_type"] for row in novel} == {"A", "B"}
    assert document(tmp_path)["settings"]["strata"] == "assay_type"


@pytest.mark.parametrize(
    ("sizes", "total", "expected"),
    [
        ({"B": 75, "F": 25}, 64, {"B": 48, "F": 16}),
        ({"B": 7, "F": 3}, 5, {"B": 4, "F": 1}),  # 3.5 and 1.5: the first in the alphabet
        ({"B": 99, "F": 1}, 10, {"B": 9, "F": 1}),
        ({"A": 1, "B": 1, "C": 1}, 2, {"A": 1, "B": 1, "C": 1}),
    ],
)
def test_shares_are_in_proportion_and_at_least_one(
    sizes: dict[str, int], total: int, expected: dict[str, int]
) -> None:
    assert _shares(Counter(sizes), total) == expected


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    rows = [
        *rows_of("own", [*OWN, *DRUGS[:2]]),
        # Loses its two first rows, and keeps three.
        *rows_of("rest", [*OWN[:2], "CCO", "CCN", "CCC"]),
        {"assay_id": "rest", "smiles": "C(", "label": 1},
        {"assay_id": "rest", "smiles": "CCCC", "label": 3},
        {"assay_id": None, "smiles": "CCCCC", "label": 1},
        # Keeps one row.
        *rows_of("small", [OWN[2], "CCO"]),
    ]
    rules = Rules(assays=1, least_assays=1, molecules=6, rest_rows=2)
    novel, rest = build(tmp_path, rows, rules)
    assert (ids(novel), ids(rest), len(rest)) == (["own"], ["rest"], 3)
    assert document(tmp_path)["counts"] == {
        "kept": {"rows": 9, "assays": 2},
        "dropped": {
            "rows whose molecule cannot be read": 1,
            "rows whose label is neither 0 nor 1": 1,
            "rows without assay_id": 1,
            "rows of other assays whose molecule is in the novel fold": 3,
            "assays left with fewer than 2 rows or one class": 1,
            "rows of assays left with fewer than 2 rows or one class": 1,
        },
    }


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [*rows_of("own", OWN), *rows_of("rest", ["CCO", "CCN"])]
    build(tmp_path, rows)
    names = ("novel.parquet", "train.parquet", "dataset.json")
    first = [(tmp_path / "out" / name).read_bytes() for name in names]
    build_novel(tmp_path / "assays.parquet", tmp_path / "again", SMALL)
    assert [(tmp_path / "again" / name).read_bytes() for name in names] == first


def test_licence_and_origin_of_the_source_are_kept(tmp_path: Path) -> None:
    told = {
        "name": "FS-Mol 0.1",
        "url": "https://example.org",
        "licence": "CC BY-SA 3.0",
        "citation": "Stanley et al.",
        "released": "2021",
        "outputs": {"assays.parquet": {}},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(told))
    build(tmp_path, [*rows_of("own", OWN), *rows_of("rest", ["CCO", "CCN"])])
    found = document(tmp_path)
    assert found["name"] == "FS-Mol 0.1, novel fold"
    assert [found[key] for key in ("licence", "released")] == ["CC BY-SA 3.0", "2021"]


def test_where_no_fold_can_be_cut_out_a_sentence_says_so_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match=r"^Only 0 assays of 3 or more molecules"):
        build(tmp_path, rows_of("small", ["CCO", "CCN"]))
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_the_command_takes_a_source_and_ends_in_a_sentence(tmp_path: Path) -> None:
    words = ["--source", str(tmp_path / "missing.parquet"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, "There is no file" in result.stderr) == (3, True)
    words[1] = str(tmp_path)
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, "is a folder" in result.stderr) == (3, True)
    pq.write_table(pa.Table.from_pylist(rows_of("A", list(DRUGS))), tmp_path / "few.parquet")
    words[1] = str(tmp_path / "few.parquet")
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 3
    assert "it takes 60" in result.stderr
