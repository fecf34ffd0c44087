"""One SMILES in; a molecule, or a rejection with its reason, out. Nothing else parses SMILES."""

import re
from dataclasses import dataclass
from functools import cached_property

from rdkit import Chem, rdBase
from rdkit.Chem import rdqueries

from molmeta.chem.canonical import has_one_order, needs_writing, settled_form
from molmeta.chem.diagnosis import diagnose
from molmeta.chem.salts import neutral_form, parent_of
from molmeta.chem.smiles_text import (
    MAX_ATOMS,
    MAX_FRAGMENTS,
    MAX_NESTING,
    MAX_RINGS,
    MAX_TEXT_LENGTH,
    SmilesText,
    is_ordinary,
    read_text,
    text_of,
)
from molmeta.chem.status import Rejected, Rejection, Status
from molmeta.chem.vocabulary import ELEMENTS

__all__ = [
    "MAX_ATOMS",
    "MAX_CHARGE",
    "MAX_FRAGMENTS",
    "MAX_NESTING",
    "MAX_RINGS",
    "MAX_TEXT_LENGTH",
    "SUPPORTED_ELEMENTS",
    "Molecule",
    "Rejection",
    "Status",
    "read_smiles",
]

MAX_CHARGE = 4
"""Highest formal charge that means an ordinary atom: Cl is written +3 in perchlorate."""

SUPPORTED_ELEMENTS = frozenset(ELEMENTS)
"""Molecules with any other element are turned away: the models have learned nothing about it."""

_PLAIN_BONDS = frozenset(
    {Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC}
)
_UNSANITIZED = Chem.SmilesParserParams()
_UNSANITIZED.sanitize = False  # type: ignore[assignment]  # the stub takes it for a parser
_UNSANITIZED.removeHs = False  # type: ignore[assignment]
_PLAIN_CENTRES = frozenset(
    {
        Chem.ChiralType.CHI_UNSPECIFIED,
        Chem.ChiralType.CHI_TETRAHEDRAL_CW,
        Chem.ChiralType.CHI_TETRAHEDRAL_CCW,
    }
)
_STEREO_MARKS = frozenset("@/\\")
# In an ordinary text: any other atom takes the hydrogens that it lacks.
_MAY_BE_RADICAL = re.compile(r"(?:\+|@H?)\]")
_RADICAL = rdqueries.NumRadicalElectronsGreaterQueryAtom(0)
_BARE_BRACKETS = re.compile(r"(?:\[[=#/\\]?[A-Z][a-z]?\]){2,}")


# Without slots, which leave a cached property no place.
@dataclass(frozen=True)
class Molecule:
    """A molecule as the models see it: the neutral parent, free of salts, maps and markup."""

    mol: Chem.Mol
    """Sanitised, stereo assigned; atoms in the order of the text, which says nothing."""
    written: str | None
    """Its canonical SMILES where the intake had to write it; None for most."""
    has_stereo: bool
    """Whether there may be labels R, S, E or Z; False is certain."""
    status: Status
    """OK or OK_CHANGED."""
    reason: str
    """What was changed or is remarkable, `code: words` joined by '; '; '' when nothing."""

    @cached_property
    def smiles(self) -> str:
        """Canonical isomeric SMILES of `mol`, written when asked for: few of a library are."""
        return self.written or str(Chem.MolToSmiles(self.mol))

    @property
    def ranks(self) -> tuple[int, ...]:
        """[n_atoms]; the place of each atom of `mol` in its canonical order.

        Arrays in this order do not depend on the atom order of the text. It is not the order in
        which `smiles` lists the atoms.
        """
        ranks = Chem.CanonicalRankAtoms(self.mol)
        return tuple([ranks[i] for i in range(len(ranks))])  # faster than its own iterator


def read_smiles(text: object) -> Molecule | Rejection:
    """The molecule that `text` writes, or why there is none; raises on no input.

    Args:
        text: a SMILES, bare or with the blanks, quotes, name or CX extension it came with; ASCII
            bytes; or an RDKit molecule, which is copied. None, NaN and NA are empty cells.
    """
    try:
        return _read(text_of(text))
    except Rejected as rejected:
        return rejected.rejection


def _read(text: str) -> Molecule:
    if not is_ordinary(text):
        return _read_with_care(text)
    mol = _parse_ordinary(text)
    if mol is None:
        return _inspect(*_mended(text, text))
    if _MAY_BE_RADICAL.search(text) and len(mol.GetAtomsMatchingQuery(_RADICAL)):
        return _inspect(mol, text, [])
    if needs_writing(mol, text):
        return _molecule(mol, [], [])
    return Molecule(mol, None, not _STEREO_MARKS.isdisjoint(text), Status.OK, "")


def _parse_ordinary(smiles: str) -> Chem.Mol | None:
    """What `_parse` makes of an ordinary text, in two thirds of the time.

    There are no hydrogens to remove, and nobody asks which centres could have had stereo, nor for
    the stereo of a text without any.
    """
    try:
        with rdBase.BlockLogs():
            mol = Chem.MolFromSmiles(smiles, _UNSANITIZED)
            if mol is not None:
                Chem.SanitizeMol(mol)
                if not _STEREO_MARKS.isdisjoint(smiles):
                    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
            return mol
    except (ValueError, RuntimeError):
        return None


def _read_with_care(text: str) -> Molecule:
    source = read_text(text)
    mol, mended = _parse_extended(source)
    return _inspect(mol, source.smiles, [*source.changes, *mended])


def _parse(smiles: str, *, sanitize: bool = True) -> Chem.Mol | None:
    try:
        with rdBase.BlockLogs():
            return Chem.MolFromSmiles(smiles, sanitize=sanitize)
    except (ValueError, RuntimeError):  # RDKit's own invariants, on text it should have refused
        return None


def _parse_extended(source: SmilesText) -> tuple[Chem.Mol, list[str]]:
    """The molecule of a SMILES with its CX extension, or without one that RDKit cannot read."""
    if source.extension and (mol := _parse(f"{source.smiles} {source.extension}")) is not None:
        changes = _forget_drawn_stereo(mol)
        return _read_back(mol), changes
    mol = _parse(source.smiles)
    if mol is None:
        mol, _, changes = _mended(source.smiles, source.whole)
        return mol, changes
    return mol, ["cx dropped: the extension cannot be read"] if source.extension else []


def _mended(smiles: str, text: str) -> tuple[Chem.Mol, str, list[str]]:
    """A molecule that RDKit refuses, where what was meant is certain.

    Some programs move the proton of a phosphonic acid to its phosphorus: 0.6 % of FS-Mol.
    """
    mol = _parse(smiles, sanitize=False) if "[PH" in smiles else None
    if mol is not None:
        for atom in mol.GetAtoms():
            to_oxygen = [bond for bond in atom.GetBonds() if _is_oxo(bond, atom)]
            if atom.GetSymbol() == "P" and atom.GetNumExplicitHs() and len(to_oxygen) >= 2:
                atom.SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
                to_oxygen[0].SetBondType(Chem.BondType.SINGLE)
        if (mended := _parse(_written(mol))) is not None:
            return mended, smiles, ["phosphorus: PH(=O)(=O) read as P(=O)(OH)"]
    raise Rejected(*diagnose(smiles, text))


def _is_oxo(bond: Chem.Bond, centre: Chem.Atom) -> bool:
    other = bond.GetOtherAtom(centre)
    is_terminal_oxygen = other.GetSymbol() == "O" and other.GetDegree() == 1
    return is_terminal_oxygen and bond.GetBondType() == Chem.BondType.DOUBLE


def _forget_drawn_stereo(mol: Chem.Mol) -> list[str]:
    """Unset the centres that a CX extension draws one way and means both ways; what was unset.

    Axial stereo needs no unsetting: plain SMILES cannot write it.
    """
    centres = [
        atom
        for group in mol.GetStereoGroups()
        if group.GetGroupType() != Chem.StereoGroupType.STEREO_ABSOLUTE
        for atom in group.GetAtoms()
    ]
    for atom in centres:
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    changes = ["racemate: centres of an AND or OR group left undefined"] if centres else []
    if any("ATROP" in bond.GetStereo().name for bond in mol.GetBonds()):
        changes.append("cx: axial stereo left undefined")
    return changes


def _forget_rare_stereo(mol: Chem.Mol) -> list[str]:
    """Unset the centres that are no tetrahedra, which RDKit writes in several ways; what was unset.

    They are metals, which are refused anyway, and a few hypervalent atoms.
    """
    centres = [atom for atom in mol.GetAtoms() if atom.GetChiralTag() not in _PLAIN_CENTRES]
    for atom in centres:
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    return ["stereo: centres that are no tetrahedra left undefined"] if centres else []


def _inspect(mol: Chem.Mol, smiles: str, changes: list[str]) -> Molecule:
    """The parent of a molecule that may not be ordinary, with every change to it in words.

    Raises:
        Rejected: SELFIES taken for SMILES, no parent, or atoms the models have never seen.
    """
    if not mol.GetNumHeavyAtoms():
        raise Rejected(Status.NO_HEAVY_ATOMS, "hydrogen alone")
    _check_bonds(mol)
    changes = [*changes, *_forget_rare_stereo(mol)]
    # By the property, because a map of 0 is one too, and stands in what RDKit writes.
    mapped = [atom for atom in mol.GetAtoms() if atom.HasProp("molAtomMapNumber")]
    for atom in mapped:
        atom.SetAtomMapNum(0)
    maps = ["maps: atom map numbers removed"] if mapped else []
    parent, removed = parent_of(mol)
    _check_atoms(parent)
    if mapped or parent is not mol:
        parent = _read_back(parent)
    neutral = neutral_form(parent)
    as_read = neutral is parent or Chem.MolToSmiles(neutral) == Chem.MolToSmiles(parent)
    charges = [] if as_read else ["charges: written neutral"]
    n_radicals = sum(_radicals(neutral))
    notes = [f"radical: unpaired electrons {n_radicals}"] if n_radicals else []
    molecule = _molecule(neutral, [*changes, *maps, *removed, *charges], notes)
    if n_radicals and any(map(_BARE_BRACKETS.fullmatch, (smiles, molecule.smiles))):
        reason = "looks like SELFIES (all atoms bracketed and bare); convert it to SMILES"
        raise Rejected(Status.NOT_SMILES, reason)
    return molecule


def _read_back(mol: Chem.Mol) -> Chem.Mol:
    """`mol` without traces of how it was written: stale stereo, mapped hydrogens, an extension."""
    if (clean := _parse(_written(mol))) is None:
        raise Rejected(Status.SANITIZE_ERROR, "RDKit cannot read back what it wrote")
    return clean


def _radicals(mol: Chem.Mol) -> list[int]:
    return [atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()]


def _check_atoms(mol: Chem.Mol) -> None:
    table = Chem.GetPeriodicTable()
    for atom in mol.GetAtoms():
        symbol, isotope, charge = atom.GetSymbol(), atom.GetIsotope(), atom.GetFormalCharge()
        if symbol not in SUPPORTED_ELEMENTS:
            known = "known: " + " ".join(sorted(SUPPORTED_ELEMENTS))
            raise Rejected(Status.UNSUPPORTED_ATOM, f"{symbol} is unknown to the models ({known})")
        if abs(charge) > MAX_CHARGE:
            reason = f"{symbol} with charge {charge:+d} (at most {MAX_CHARGE} either way)"
            raise Rejected(Status.UNSUPPORTED_ATOM, reason)
        if isotope and not table.GetMassForIsotope(atom.GetAtomicNum(), isotope):
            reason = f"range: {symbol} has no isotope of mass {isotope}"
            raise Rejected(Status.PARSE_ERROR, reason)


def _check_bonds(mol: Chem.Mol) -> None:
    for bond in mol.GetBonds():
        if bond.GetBondType() not in _PLAIN_BONDS:
            reason = f"a {bond.GetBondType().name.lower()} bond; write charges and plain bonds"
            raise Rejected(Status.UNSUPPORTED_ATOM, reason)


def _written(mol: Chem.Mol) -> str:
    try:
        with rdBase.BlockLogs():
            return str(Chem.MolToSmiles(mol))
    except (ValueError, RuntimeError) as error:
        reason = f"RDKit cannot write it: {str(error).strip().splitlines()[0]}"
        raise Rejected(Status.SANITIZE_ERROR, reason) from None


def _molecule(mol: Chem.Mol, changes: list[str], notes: list[str]) -> Molecule:
    smiles = _written(mol)
    form = settled_form(mol, smiles)
    # Read again where the order of the atoms in the text would show in that of the ranks.
    if form != smiles or not has_one_order(mol):
        settled = _parse(form) if form else None
        if settled is None:
            reason = "RDKit cannot read back what it wrote: its aromatic atoms do not fit together"
            raise Rejected(Status.SANITIZE_ERROR, reason)
        mol, smiles = settled, str(form)
    status = Status.OK_CHANGED if changes else Status.OK
    has_stereo = not _STEREO_MARKS.isdisjoint(smiles)
    return Molecule(mol, smiles, has_stereo, status, "; ".join([*changes, *notes]))
