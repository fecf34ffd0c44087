"""What folds share, by hand on a few molecules."""

import pytest
import torch

from molmeta.assays.leakage import Leakage, leaks_between, shared_assays, table_of_leaks
from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles

Assays = dict[str, dict[str, int]]
"""Assay -> SMILES -> label."""


def fold(assays: Assays) -> AssayStore:
    texts = sorted({text for rows in assays.values() for text in rows})
    molecules = [read_smiles(text) for text in texts]
    batch = featurize([molecule for molecule in molecules if isinstance(molecule, Molecule)])
    tasks = [
        Task(
            assay_id=name,
            molecules=torch.tensor([texts.index(text) for text in rows]),
            labels=torch.tensor(list(rows.values()), dtype=torch.float32),
            log_values=torch.full((len(rows),), torch.nan),
            relations=torch.zeros(len(rows), dtype=torch.int8),
        )
        for name, rows in assays.items()
    ]
    return AssayStore(tuple(tasks), batch, {}, "", tuple(texts))


TRAIN: Assays = {
    "A": {"CCO": 1, "CCN": 0, "C[C@H](F)Cl": 1},
    "B": {"CCO": 0, "c1ccccc1": 1},
}
VALID: Assays = {
    "B": {"CCCC": 1, "CCCCC": 0},
    "C": {"C[C@@H](F)Cl": 1, "OCC": 1, "CCBr": 0},
    "D": {"c1ccccc1": 1, "OCC": 0},
}


def keys_of(*texts: str) -> list[int]:
    molecules = [read_smiles(text) for text in texts]
    return sorted(featurize([m for m in molecules if isinstance(m, Molecule)]).keys.tolist())


@pytest.fixture(scope="module")
def leaks() -> dict[tuple[str, str], Leakage]:
    return leaks_between({"train": fold(TRAIN), "valid": fold(VALID)})


def test_every_fold_is_compared_with_every_other(leaks):
    assert list(leaks) == [("train", "valid"), ("valid", "train")]
    assert (leaks["train", "valid"].n_molecules, leaks["train", "valid"].n_assays) == (4, 2)
    assert (leaks["valid", "train"].n_molecules, leaks["valid", "train"].n_assays) == (6, 3)


def test_molecules_are_shared_however_they_are_written(leaks):
    for leak in leaks.values():
        assert leak.molecules.tolist() == keys_of("CCO", "c1ccccc1")


def test_an_enantiomer_is_shared_without_stereo(leaks):
    found = leaks["valid", "train"].molecules_without_stereo
    assert found.tolist() == keys_of("CCO", "c1ccccc1", "C[C@@H](F)Cl")
    found = leaks["train", "valid"].molecules_without_stereo
    assert found.tolist() == keys_of("CCO", "c1ccccc1", "C[C@H](F)Cl")


def test_assays_are_shared_by_id_or_by_content(leaks):
    leak = leaks["valid", "train"]
    assert leak.assays_by_id == ("B",)
    assert leak.assays_by_content == (("D", "B"),)
    assert leak.n_shared_assays == 2


def test_content_means_the_same_molecules_with_the_same_labels():
    here = fold({"A": {"CCO": 1, "CCN": 0, "CCC": 0}})
    for rows, is_same in (
        ({"CCC": 0, "CCN": 0, "OCC": 1}, True),
        ({"CCO": 1, "CCN": 0, "CCC": 1}, False),
        ({"CCO": 1, "CCN": 0}, False),
        ({"CCO": 1, "CCN": 0, "CCCC": 0}, False),
    ):
        leak = leaks_between({"here": here, "there": fold({"X": rows})})["here", "there"]
        assert leak.assays_by_content == ((("A", "X"),) if is_same else ())
        assert leak.assays_by_id == ()


def test_a_repeated_row_makes_no_other_content():
    twice = fold({"A": {"CCO": 1, "OCC": 1, "CCN": 0}})
    leak = leaks_between({"1": twice, "2": fold({"X": {"CCO": 1, "CCN": 0}})})["1", "2"]
    assert leak.n_molecules == 2
    assert leak.assays_by_content == (("A", "X"),)


def test_the_first_of_several_assays_with_the_same_content_is_named():
    rows = {"CCO": 1, "CCN": 0}
    leaks = leaks_between({"1": fold({"A": rows}), "2": fold({"Y": rows, "X": rows})})
    assert leaks["1", "2"].assays_by_content == (("A", "Y"),)
    assert leaks["2", "1"].assays_by_content == (("Y", "A"), ("X", "A"))


def test_of_a_model_the_molecules_it_has_seen_are_known_and_nothing_else():
    seen = torch.tensor(keys_of("CCBr", "CCCC", "CCI"))
    leaks = leaks_between({"valid": fold(VALID)}, {"model": seen})
    assert list(leaks) == [("valid", "model")]
    leak = leaks["valid", "model"]
    assert leak.molecules.tolist() == keys_of("CCBr", "CCCC")
    assert leak.molecules_without_stereo is leak.assays_by_id is leak.assays_by_content is None
    cells = table_of_leaks(leaks).splitlines()[1].split()
    assert " ".join(cells) == "valid model 2 of 6 (33.3%) - - -"


def test_without_the_comparison_of_stereo_no_text_is_needed():
    folds = {name: fold(assays) for name, assays in (("train", TRAIN), ("valid", VALID))}
    for name, store in folds.items():
        folds[name] = AssayStore(store.tasks, store.molecules, {}, "")
    leak = leaks_between(folds, stereo=False)["valid", "train"]
    assert leak.molecules_without_stereo is None
    assert leak.n_shared_assays == 2
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        leaks_between(folds)


def test_the_table_has_a_line_a_pair_and_names_the_shared_assays(leaks):
    assert table_of_leaks(leaks).splitlines() == [
        "fold   found in  molecules       without stereo  assays by id    by content",
        "train  valid     2 of 4 (50.0%)  3 of 4 (75.0%)  1 of 2 (50.0%)  0 of 2 (0.0%)",
        "valid  train     2 of 6 (33.3%)  3 of 6 (50.0%)  1 of 3 (33.3%)  1 of 3 (33.3%)",
        "Assays of train in valid: B.",
        "Assays of valid in train: B, D (there called B).",
    ]


def test_of_many_shared_assays_ten_are_named():
    rows = {"CCO": 1, "CCN": 0}
    many = fold({f"A{i}": rows for i in range(12)})
    leak = leaks_between({"1": many, "2": many})["1", "2"]
    assert shared_assays(leak) == "A0, A1, A2, A3, A4, A5, A6, A7, A8, A9 and 2 more"


def test_a_fold_of_nothing_shares_nothing():
    nothing = fold({"A": {"CCO": 1}})
    empty = AssayStore((), nothing.molecules.gather(torch.arange(0)), {}, "", ())
    leak = leaks_between({"none": empty, "some": nothing})["none", "some"]
    assert (leak.n_molecules, len(leak.molecules), leak.n_shared_assays) == (0, 0, 0)
    assert "0 of 0" in table_of_leaks({("none", "some"): leak})
