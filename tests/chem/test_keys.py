"""KeySet against Python's own set."""

import pytest
import torch

from molmeta.chem.keys import KeySet


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_it_holds_what_a_set_would_hold(n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    keys = torch.randint(-(2**63), 2**63 - 1, (3000,), generator=generator)
    known = torch.unique(keys[:n])
    members = set(known.tolist())
    key_set = KeySet(known)
    assert key_set.contains(keys).tolist() == [key in members for key in keys.tolist()]
    rows, places = key_set.find(keys)
    assert torch.equal(known[places], keys[rows])
    assert rows.tolist() == sorted(rows.tolist())


def test_keys_that_differ_in_their_high_bits_alone_are_told_apart() -> None:
    known = torch.tensor([5, 5 + (1 << 40)])
    wanted = torch.tensor([5, 5 + (1 << 41), 5 + (1 << 40)])
    assert KeySet(known).contains(wanted).tolist() == [True, False, True]


def test_keys_are_looked_up_once_while_somebody_holds_them() -> None:
    key_set = KeySet(torch.tensor([1, 5, 9]))
    wanted = torch.tensor([5, 7, 9])
    first, again, anew = (key_set.find(keys) for keys in (wanted, wanted, wanted.clone()))
    assert first[0] is again[0]
    assert first[0] is not anew[0]
    assert first[1].tolist() == anew[1].tolist() == [1, 2]
