"""Texts within every bound that cost RDKit most: rings at random, cages, as many atoms as go."""

import time
from random import Random

import pytest

from molmeta.chem.features import featurize
from molmeta.chem.intake import MAX_ATOMS, MAX_RINGS, Molecule, read_smiles

SECONDS = 5.0


def tangle(symbols: tuple[str, ...], n_atoms: int, per_atom: int) -> str:
    """A chain whose atoms close rings with each other at random, `per_atom` closures on each."""
    generator = Random(0)
    free = [atom for atom in range(n_atoms) for _ in range(per_atom)]
    generator.shuffle(free)
    closures: list[list[str]] = [[] for _ in range(n_atoms)]
    bonds: set[tuple[int, int]] = set()
    while len(free) > 1 and len(bonds) < MAX_RINGS:
        first, second = sorted((free.pop(), free.pop()))
        if second - first > 1 and (first, second) not in bonds:
            bonds.add((first, second))
            for atom in (first, second):
                closures[atom].append(f"%({len(bonds)})")
    return "".join(generator.choice(symbols) + "".join(own) for own in closures)


def complete(symbol: str, n_atoms: int) -> str:
    """A SMILES in which every atom is bound to every other one."""
    closures: list[list[str]] = [[] for _ in range(n_atoms)]
    n_closures = 0
    for first in range(n_atoms):
        for second in range(first + 2, n_atoms):
            n_closures += 1
            for atom in (first, second):
                closures[atom].append(f"%({n_closures})")
    return "".join(symbol + "".join(own) for own in closures)


TEXTS = {
    "aromatic nitrogens": tangle(("n",), 598, 1),
    "aromatic carbons": tangle(("c",), 598, 1),
    "carbons": tangle(("C",), 299, 2),
    "centres": tangle(("[C@]", "[C@@]"), 299, 2),
    "centres in a small cage": tangle(("[C@H]", "[C@@H]"), 190, 1),
    "sulfurs": tangle(("S",), 148, 4),
    "iron": complete("[Fe]", 25),
    "chain": "C" * MAX_ATOMS,
    "ring of centres": "[C@H]1(F)" + "[C@@H](F)" * 496 + "[C@H]1F",
    "cyclohexanes": "O[C@H]1CC[C@@H](CC1)" * 142,
    "peptide": "N[C@@H](C)C(=O)" * 199 + "O",
    "dendrimer": "C" + "(C" * 400 + ")" * 400 + "C(C)(C)C" * 140,
    "charges": "C" + "C([NH3+])C([O-])" * 249,
    "sulfoxides": "C" + "[S+]([O-])C" * 332,
    "hydrogens": "[H]C([H])([H])" + "C([H])([H])" * 996 + "[H]",
    "fragments": ".".join(["CC(=O)[O-]"] * 24 + ["[Na+]"] * 24 + ["C" * 800]),
    "not aromatic": "c" * MAX_ATOMS,
    "brackets": "[" * 19_000,
    "words": "aZx" * 6_600,
}


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_within_the_bounds_takes_long(name: str) -> None:
    start = time.process_time()
    result = read_smiles(TEXTS[name])
    if isinstance(result, Molecule):
        featurize([result])
    assert "at most" not in result.reason, "it is beyond a bound, and shows nothing"
    assert time.process_time() - start < SECONDS
