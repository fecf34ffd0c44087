"""One canonical SMILES for the few molecules of which RDKit writes several, or one it cannot read.

RDKit's canonical SMILES depends on the order of the atoms where the centres of a ring or a cage
only mean something together (adamantanes, inositols), and may be a text that RDKit itself refuses
where a double bond leaves an aromatic ring (porphyrins). See its issues 7759, 8670 and 8775. What
it corrects on reading, five-bonded phosphorus and halogens, it may itself have written.

To write a molecule takes half as long as to read it, so that it is done only where it matters.
"""

import re
from typing import Final

from rdkit import Chem, rdBase
from rdkit.Chem import rdqueries

_N_WRITINGS = 16
"""Random orders of the atoms that are tried. Of 98 cages with two to six forms, 8 orders lead to
one form for 94, 16 orders for 97."""

_MAX_ATOMS = 200
"""Above, where 16 writings take a second, RDKit's own form stands if RDKit can read it."""

_LONG = 150
_READ_OTHERWISE = re.compile(r"=[/\\]?\[?[a-z]|=P\d*\(?=|P\d*\(=O\)=|\[(?:Cl|Br|I)H")
_IN_STEREO_RING = rdqueries.HasPropQueryAtom("_ringStereoAtoms")
_WITHOUT_LABEL = rdqueries.HasChiralTagQueryAtom()
_WITHOUT_LABEL.ExpandQuery(rdqueries.HasPropQueryAtom("_CIPCode", negate=True))
_WITH_ISOTOPE = rdqueries.IsotopeGreaterQueryAtom(0)

# In an ordinary text: phosphorus, halogens with more than one bond, a double bond that leaves an
# aromatic ring (not to oxygen or sulfur at the start, which changed no form of 9,000 texts)
# or, where some atoms are aromatic, closes one.
_MAY_CHANGE: Final = re.compile(r"[Pp]|[FlrI][(=\d%]|(?<!^[OS])=[/\\]?[a-z[]|=\(*(?:F|Cl|Br|I)")
_DOUBLE_CLOSURE: Final = re.compile(r"=[/\\]?[\d%]")
_AROMATIC: Final = re.compile(r"[cnos]")
_N_PORPHYRIN_RINGS: Final = 5
_MACROCYCLE: Final = 9
_N_CAGE_RINGS: Final = 5
_MOST_ATOMS_A_RING: Final = 4
_MOST_ALIKE: Final = 3
"""Atoms of each kind, on average, from which on a molecule may be a cage such as dodecahedrane."""


def needs_writing(mol: Chem.Mol, text: str) -> bool:
    """Whether the form that RDKit writes may not be the only one, or not be readable.

    Args:
        mol: as RDKit read it.
        text: the ordinary SMILES that it was read from.
    """
    if not has_one_order(mol, may_have_stereo="@" in text):
        return True
    if len(text) > _LONG or _MAY_CHANGE.search(text):
        return True
    if _DOUBLE_CLOSURE.search(text) and _AROMATIC.search(text):
        return True
    rings = mol.GetRingInfo()
    is_porphyrin_like = rings.NumRings() >= _N_PORPHYRIN_RINGS
    return is_porphyrin_like and max(map(len, rings.AtomRings())) >= _MACROCYCLE


def has_one_order(mol: Chem.Mol, *, may_have_stereo: bool = True) -> bool:
    """Whether RDKit ranks the atoms in one order, however the molecule is written.

    It does not where centres only mean something together, nor in cages of like atoms.
    """
    if may_have_stereo and not is_told_by_labels(mol):
        return False
    n_atoms, n_rings = mol.GetNumAtoms(), mol.GetRingInfo().NumRings()
    if n_rings < _N_CAGE_RINGS or n_atoms > _MOST_ATOMS_A_RING * n_rings:
        return True
    n_kinds = len(set(Chem.CanonicalRankAtoms(mol, breakTies=False)))
    return n_kinds * _MOST_ALIKE > n_atoms


def is_told_by_labels(mol: Chem.Mol) -> bool:
    """Whether atoms, bonds and the labels R, S, E and Z say everything of a molecule.

    They do not tell isotopes, nor centres that only mean something together.
    """
    unsaid = _WITHOUT_LABEL, _WITH_ISOTOPE
    is_told = not any(len(mol.GetAtomsMatchingQuery(query)) for query in unsaid)
    return is_told and not _has_dependent_centres(mol)


def settled_form(mol: Chem.Mol, smiles: str) -> str | None:
    """The SMILES that every way of writing `mol` leads to; None if RDKit can read none of them.

    Args:
        mol: as RDKit read it.
        smiles: what RDKit writes for it. For nearly all molecules this is the answer: 3 % of
            FS-Mol are written again to make sure, and 0.3 % in several ways.
    """
    has_several = "@" in smiles and _has_dependent_centres(mol)
    if not has_several and (len(smiles) > _LONG or _READ_OTHERWISE.search(smiles)):
        has_several = _rewritten(smiles) != smiles
    if not has_several:
        return smiles
    if mol.GetNumAtoms() > _MAX_ATOMS:
        return None if _rewritten(smiles) is None else smiles
    with rdBase.BlockLogs():
        writings = Chem.MolToRandomSmilesVect(mol, _N_WRITINGS, randomSeed=1)
    forms = {form for text in (smiles, *writings) if (form := _rewritten(text)) is not None}
    return next((form for form in sorted(forms) if _rewritten(form) is not None), None)


def _has_dependent_centres(mol: Chem.Mol) -> bool:
    """Whether centres that mean something together alone are bridgeheads, or equal without them."""
    centres = [atom.GetIdx() for atom in mol.GetAtomsMatchingQuery(_IN_STEREO_RING)]
    if not centres:
        return False
    rings = mol.GetRingInfo()
    if any(rings.NumAtomRings(centre) > 1 for centre in centres):
        return True
    ranks = list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    return any(ranks.count(ranks[centre]) > 1 for centre in centres)


def _rewritten(smiles: str) -> str | None:
    try:
        with rdBase.BlockLogs():
            mol = Chem.MolFromSmiles(smiles)
            return None if mol is None else str(Chem.MolToSmiles(mol))
    except (ValueError, RuntimeError):
        return None
