"""A deck has no two compounds that are too alike, and none could be added to it."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.training import decks
from molmeta.training.decks import deck
from tests.molecules import DRUGS

READ = [read_smiles(smiles) for smiles in DRUGS]
MOLECULES = featurize([one for one in READ if isinstance(one, Molecule)])
SIMILARITY = tanimoto(MOLECULES, MOLECULES).fill_diagonal_(0)


@given(most_alike=st.floats(0.05, 1.0), seed=st.integers(0, 1_000))
def test_none_are_too_alike_and_none_could_be_added(most_alike: float, seed: int) -> None:
    rows = deck(MOLECULES, most_alike, np.random.default_rng(seed))
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert SIMILARITY[rows][:, rows].max() <= most_alike
    others = torch.ones(len(MOLECULES), dtype=torch.bool)
    others[rows] = False
    assert (SIMILARITY[others][:, rows] > most_alike).any(1).all()


def test_the_order_decides_which_of_two_stays() -> None:
    found = {tuple(deck(MOLECULES, 0.3, np.random.default_rng(seed)).tolist()) for seed in range(5)}
    assert len(found) == 5


def test_of_many_compounds_some_are_looked_at(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(decks, "_MOST", 7)
    assert len(deck(MOLECULES, 1.0, np.random.default_rng(0))) == 7
