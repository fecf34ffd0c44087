"""One canonical SMILES for the few molecules of which RDKit writes several, or one it cannot read.

RDKit's canonical SMILES depends on the order of the atoms where the centres of a ring or a cage
only mean something together (adamantanes, inositols), and may be a text that RDKit itself refuses
where a double bond leaves an aromatic ring (porphyrins). See its issues 7759, 8670 and 8775. What
it corrects on reading, five-bonded phosphorus and halogens, it may itself have written.
"""

import re

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
