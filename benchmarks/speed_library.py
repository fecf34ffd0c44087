"""SMILES to time with: a library of one's own, or as many products of common parts as asked for."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rdkit import Chem, rdBase

from molmeta.assays.tables import open_table

_RINGS = (
    *("c1ccc({})cc1", "c1cccc({})c1", "c1ccccc1{}", "c1ccc({})nc1", "c1cnc({})cn1", "c1csc({})n1"),
    *("c1cc({})on1", "c1ccc2[nH]c({})cc2c1", "c1ccc({})s1", "c1nc2ccc({})cc2o1", "C1CCN({})CC1"),
    *("c1cnn({})c1", "c1ccc2c(c1)CCN2{}", "C1CCC({})CC1", "c1ccc(Oc2ccc({})cc2)cc1"),
)
_ENDS = (
    *("F", "Cl", "Br", "C", "CC", "C(C)C", "CO", "CCO", "CCN(C)C", "C(F)(F)F", "C(=O)OC", "CC#N"),
    *("C(N)=O", "S(C)(=O)=O", "S(N)(=O)=O", "C1CC1", "CC(=O)O", "CCOC", "C(C)(C)C", "CSC"),
    *("CN3CCOCC3", "Cc3cccnc3", "C(=O)N3CCCC3", "c3ccccc3", "CC(=O)NC"),
)
_JOINTS = (
    *("O=C(N{}){}", "O=C(NC{}){}", "O=C(N7CCN({})CC7){}", "O=S(=O)(N{}){}", "O=C(NC(C){}){}"),
    *("C[C@H](NC(=O){}){}", "O=C(C{})N{}", "O(C{}){}", "O=C(N7CCC({})CC7){}", "O=C(N{})N{}"),
)
_SIDES = [ring.format(end) for ring in _RINGS for end in _ENDS]
_STRIDE = 611_953
"""A prime, so that neighbours in the library have little in common."""


def smiles(n: int, source: Path | None = None) -> list[str]:
    """`n` SMILES: the first of `source`, or different products of common parts.

    Raises:
        InputError: `source` cannot be read.
        ValueError: there are not so many.
    """
    candidates = _products() if source is None else _of_table(source)
    with rdBase.BlockLogs():
        # chemprop stops at the first text that RDKit cannot read.
        texts = list(islice((text for text in candidates if Chem.MolFromSmiles(text)), n))
    if len(texts) < n:
        raise ValueError(f"There are only {len(texts):,} molecules, and {n:,} were asked for.")
    return texts


def write_csv(texts: list[str], path: Path) -> Path:
    """One column with a header; the path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["smiles"], *([text] for text in texts)])
    return path


def _of_table(source: Path) -> Iterator[str]:
    with open_table(str(source)) as table:
        for row in table:
            if row.smiles:
                yield row.smiles


def _products() -> Iterator[str]:
    n = len(_SIDES)
    total = len(_JOINTS) * n * n
    for i in range(total):
        rest, left = divmod(i * _STRIDE % total, n)
        joint, right = divmod(rest, n)
        yield _JOINTS[joint].format(_SIDES[left], _SIDES[right])
