from dataclasses import replace

import pytest

from molmeta.assays.store import AssayStore
from molmeta.errors import InputError
from molmeta.training.folds import check_folds


def test_folds_may_share_molecules_and_the_sentence_says_how_many(store: AssayStore):
    train, valid = replace(store, tasks=store.tasks[:2]), replace(store, tasks=store.tasks[2:])
    n = len(store.molecules)
    assert check_folds(train, valid) == (
        f"Meta-train has {n} of the {n} meta-valid molecules and none of the 2 meta-valid assays."
    )


def test_an_assay_in_both_folds_is_refused_by_its_name(store: AssayStore):
    valid = replace(store, tasks=(store.tasks[1],))
    with pytest.raises(
        InputError, match=r"^1 of the 1 meta-valid assays is in meta-train too: B\."
    ):
        check_folds(store, valid)


def test_an_assay_under_another_name_is_refused_too(store: AssayStore):
    renamed = [replace(task, assay_id=f"new {task.assay_id}") for task in store.tasks[2:]]
    valid = replace(store, tasks=tuple(renamed))
    sentence = r"2 of the 2 .* are in .*: new C \(there called C\), new D \(there called D\)\."
    with pytest.raises(InputError, match=sentence):
        check_folds(store, valid)


def test_who_accepts_an_overlap_is_told_of_it(store: AssayStore):
    told = check_folds(store, store, allow_overlap=True)
    assert told.endswith("4 of the 4 meta-valid assays.")
