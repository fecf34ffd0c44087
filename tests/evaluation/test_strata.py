"""Strata by overlap: shares counted by hand, and those that were published."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.evaluation.strata import by_stratum, shares_known, strata_of


@pytest.fixture
def two(store: AssayStore) -> AssayStore:
    """Ten molecules, one of them twice, and four others."""
    first, second = store.tasks[:2]
    tasks = (
        replace(first, molecules=torch.tensor([*range(10), 0])),
        replace(second, molecules=torch.arange(10, 14)),
    )
    return replace(store, tasks=tasks)


def test_a_share_counts_each_molecule_once(two: AssayStore) -> None:
    seen = two.molecules.keys[torch.tensor([0, 1, 2, 12])]
    assert shares_known(two, seen) == {"A": pytest.approx(0.3), "B": pytest.approx(0.25)}


def test_nothing_seen_is_nothing_known(two: AssayStore) -> None:
    assert set(shares_known(two, torch.empty(0, dtype=torch.int64)).values()) == {0.0}


def test_half_or_more_known_is_an_overlap() -> None:
    assert strata_of({"A": 0.49, "B": 0.5, "C": 1.0}) == {
        "A": "mostly_novel",
        "B": "overlap>=0.5",
        "C": "overlap>=0.5",
    }


def test_strata_without_a_measured_assay_are_left_out(two: AssayStore) -> None:
    strata = {"B": "novel", "A": "known", "elsewhere": "panel"}
    assert by_stratum(two, strata) == {"known": ["A"], "novel": ["B"]}
    assert by_stratum(two, {"A": "known"}) == {"known": ["A"]}


def test_the_published_strata_have_these_names_at_these_shares(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    path = shared_data / "published/fsmol_test_task_strata.parquet"
    table = pq.read_table(path).to_pandas().reset_index()
    table = table[table.stratum != "panel73"]
    shares = dict(zip(table.assay_id, table.in_train, strict=True))
    assert strata_of(shares) == dict(zip(table.assay_id, table.stratum, strict=True))
