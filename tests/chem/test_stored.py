import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.stored import batch_from_arrays
from molmeta.errors import InputError


def test_the_arrays_of_a_batch_give_the_batch_back(drugs: MoleculeBatch):
    found = batch_from_arrays(drugs.tensors(), len(drugs))
    assert all(torch.equal(array, found.tensors()[name]) for name, array in drugs.tensors().items())


def test_a_batch_of_no_molecules_is_a_batch(drugs: MoleculeBatch):
    none = drugs.gather(torch.arange(0))
    assert len(batch_from_arrays(none.tensors(), 0)) == 0


def without(arrays, name):
    del arrays[name]


def put(arrays, name, place, value):
    arrays[name] = arrays[name].clone()
    arrays[name][place] = value


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda a: without(a, "keys"), "'keys'"),
        (lambda a: a.update(colour=a["keys"]), "'colour'"),
        (lambda a: a.update(keys=a["keys"][1:]), "keys are torch.int64 of shape"),
        (lambda a: a.update(keys=a["keys"].int()), "should be torch.int64"),
        (lambda a: a.update(descriptors=a["descriptors"][:, 1:]), "descriptors"),
        (lambda a: a.update(atoms=a["atoms"][1:]), "atoms are"),
        (lambda a: a.update(ecfp_counts=a["ecfp_counts"][:0]), "ecfp_counts are"),
        (lambda a: a.update(bonds=a["bonds"].int()), "bonds are torch.int32"),
        (lambda a: put(a, "atom_offsets", 0, 1), "do not ascend"),
        (lambda a: put(a, "atom_offsets", 3, 2**62), "do not ascend"),
        # Differences that overflow look as if they ascended.
        (
            lambda a: put(a, "bond_offsets", [1, 2], torch.tensor([2**62 + 9, -(2**62) - 9])),
            "ascend",
        ),
        (lambda a: put(a, "atoms", (0, 0), 255), "no molecule can have"),
        (lambda a: put(a, "bond_features", (0, 1), 3), "no molecule can have"),
        (lambda a: put(a, "bonds", (0, 0), -1), "no molecule can have"),
        (lambda a: put(a, "bonds", (0, 1), 32_767), "no molecule can have"),
    ],
)
def test_arrays_that_no_molecules_have_are_refused(drugs: MoleculeBatch, spoil, sentence):
    arrays = drugs.tensors()
    spoil(arrays)
    with pytest.raises(InputError, match=sentence):
        batch_from_arrays(arrays, len(drugs))
