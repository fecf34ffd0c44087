"""Raw text -> SMILES that is safe for RDKit, which misreads some texts and dies of others."""

import numbers
import re
import unicodedata
from dataclasses import dataclass

from rdkit import Chem, rdBase

from molmeta.chem.status import Rejected, Status, shown

MAX_ATOMS = 999
"""RDKit writes SMILES recursively: a chain of 999 atoms fits the smallest default thread stack in
use (512 KiB, macOS), 3,000 atoms overflow 1 MiB (Windows), 20,000 overflow 8 MiB (Linux)."""

MAX_TEXT_LENGTH = 20_000
"""999 atoms written at their longest, `[C@@H]` with spelled-out hydrogens, take about 16,000."""

MAX_NESTING = 500
"""Depth of open branches; 499 pass in a 256 KiB stack and 999 do not."""

MAX_FRAGMENTS = 50
"""The largest of 2,164 salts and hydrates in Tox21, ToxCast, SIDER and MUV has 20; to canonicalise
100,000 fragments takes 46 s."""

MAX_RINGS = 300
"""The rings of C540 are 271. RDKit takes 0.3 s for 300 rings, and 12 s for 1,700 among 60 atoms."""

# Text that RDKit reads as it is meant, of atoms with nothing to report but unpaired electrons: no
# fragments, isotopes, maps, metals, queries, and no charges but those of nitro groups, N-oxides and
# nitrogen without hydrogen. 99 % of FS-Mol.
_ORDINARY = re.compile(
    r"(?:[A-Za-z0-9()=#/\\:%-]++|\[(?:nH|C@{1,2}H?)\]|\[O-\]\[[Nn]\+\]"
    r"|\[N\+\]\(=O\)\[O-\]|\[[Nn]\+\](?:\d*\(?\[O-\])?)++"
)
_ATOM = re.compile(r"\[[^\[\]]*\]|Cl|Br|[BCNOPSFIbcnops*]")
_RING_CLOSURE = re.compile(r"\[[^\[\]]*\]|(%\(\d+\)|%\d\d|\d)")
_QUERY = re.compile(r"[~*]|\[[^\[\]]*[#;!&,$][^\[\]]*\]?")
# RDKit wraps such numbers around; H after @O or @T belongs to the name of a stereo class.
_OUT_OF_RANGE = re.compile(r"\[\d{4,}|\[[^\[\]]*(?:[+-]\d{3,}|(?<!@[OT])H\d{2,})")

_ASCII_SPACE = " \t\r\n\v\f"
_INVISIBLE = "\u00a0\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u3000\ufeff"
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "”": "”", "„": "“", "‘": "’", "«": "»"}
_LOOK_ALIKES = dict(zip("АВСЕНІКМОРЅТХасеорх−–—‐", "ABCEHIKMOPSTXaceopx----", strict=True))

# Extended SMILES (CX): atom lists of stereo groups and radicals; then the blocks that make the text
# a set of structures (polymers, R groups, link nodes, variable attachment) and not one molecule.
_CX_ATOMS = re.compile(r"(?:[&o]\d+|a|\^[1-7]):(\d+(?:,\d+)*)")
_CX_QUERY = re.compile(r"\b(?:Sg|RG|LN|LO|m|rb|s|u):|_R\d|_AP\d")


@dataclass(frozen=True, slots=True)
class SmilesText:
    """One SMILES, taken out of what stood around it."""

    smiles: str
    extension: str
    """The CX block with its bars, `|&1:3|`, or ''."""
    whole: str
    """The text without blanks and quotes around it, for a diagnosis."""
    changes: tuple[str, ...]
    """What was taken away, in words."""


def text_of(value: object) -> str:
    """The text of a cell, of ASCII bytes or of an RDKit molecule.

    Raises:
        Rejected: an empty cell, or a value that is no text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Chem.Mol):
        return _text_of_mol(value)
    if isinstance(value, bytes):
        if not value.isascii():
            raise Rejected(Status.NOT_SMILES, "bytes that are not ASCII")
        return value.decode("ascii")
    kind = type(value).__name__
    is_nan = isinstance(value, numbers.Real) and value != value
    if value is None or is_nan or kind in ("NAType", "NaTType"):
        raise Rejected(Status.EMPTY, "no text")
    raise Rejected(Status.NOT_SMILES, f"a value of type {kind}; give SMILES as text")


def _text_of_mol(mol: Chem.Mol) -> str:
    """SMILES of a molecule, sanitised or not, so that it passes the same checks as text."""
    # Hydrogens are leaves and add no depth to the writing, but must not be without bound either.
    n_heavy = sum(atom.GetAtomicNum() != 1 for atom in mol.GetAtoms())
    if n_heavy > MAX_ATOMS or mol.GetNumAtoms() > 4 * MAX_ATOMS:
        raise Rejected(Status.TOO_LARGE, f"{n_heavy:,} heavy atoms (at most {MAX_ATOMS} are read)")
    n_rings = mol.GetNumBonds() - mol.GetNumAtoms() + 1
    if n_rings > MAX_RINGS:
        raise Rejected(Status.TOO_LARGE, f"{n_rings:,} rings (at most {MAX_RINGS} are read)")
    if any(atom.HasQuery() for atom in mol.GetAtoms()):
        raise Rejected(Status.WILDCARD_OR_QUERY, "a molecule with query atoms")
    try:
        with rdBase.BlockLogs():
            copy = Chem.Mol(mol)
            copy.UpdatePropertyCache(strict=False)
            fields = Chem.CXSmilesFields.CX_ENHANCEDSTEREO
            return str(Chem.MolToCXSmiles(copy, Chem.SmilesWriteParams(), fields))
    except (ValueError, RuntimeError) as error:
        reason = f"RDKit cannot write it: {str(error).strip().splitlines()[0]}"
        raise Rejected(Status.SANITIZE_ERROR, reason) from None


def is_ordinary(text: str) -> bool:
    """Whether `text` is within every bound, and at most radicals are to be said of its molecule."""
    return len(text) <= MAX_ATOMS and _ORDINARY.fullmatch(text) is not None


def read_text(text: str) -> SmilesText:
    """Find the one SMILES in `text` and check its bounds.

    Raises:
        Rejected: nothing there, not one SMILES, too large, or a query, a pattern or a reaction.
    """
    text, changes = _unwrapped(text)
    if not text:
        raise Rejected(Status.EMPTY, "no text")
    if len(text) > MAX_TEXT_LENGTH:
        name_follows = len(text[: MAX_TEXT_LENGTH + 1].split(maxsplit=1)) > 1
        status = Status.NOT_SMILES if name_follows else Status.TOO_LARGE
        raise Rejected(status, f"{len(text):,} characters (at most {MAX_TEXT_LENGTH:,} are read)")
    _check_characters(text)
    smiles, *trailing = text.split(maxsplit=1)
    extension = ""
    if trailing:
        extension, rest, note = _split_extension(trailing[0])
        changes += [note] if note else []
        changes += [f"trailing text ignored: {shown(rest)}"] if rest else []
    _check_meaning(smiles)
    _check_size(smiles)
    _check_extension(extension, n_atoms=len(_ATOM.findall(smiles)))
    return SmilesText(smiles, extension, text, tuple(changes))


def _unwrapped(text: str) -> tuple[str, list[str]]:
    """`text` without byte-order mark, blanks and quotes around it; what of these was reported."""
    changes = []
    text = text.strip(_ASCII_SPACE)
    if text.startswith("\ufeff"):
        text = text[1:]
        changes.append("bom: byte-order mark removed")
    if text != (text := text.strip(_INVISIBLE + _ASCII_SPACE)):
        changes.append("whitespace: invisible characters removed")
    if len(text) >= 2 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip(_ASCII_SPACE)
        changes.append("quotes: quotation marks removed")
    return text, changes


def _check_characters(text: str) -> None:
    """Only printable ASCII and blanks: RDKit drops or misreads the rest (Cyrillic CCO is water)."""
    if "\n" in text or "\r" in text:
        is_molblock = any(mark in text for mark in ("M  END", "V2000", "V3000"))
        what = "a molblock" if is_molblock else "FASTA" if text[0] == ">" else "several lines"
        raise Rejected(Status.NOT_SMILES, f"{what}; give one SMILES in a row")
    for position, character in enumerate(text, start=1):
        if character == "\t" or " " <= character <= "~":
            continue
        name = unicodedata.name(character, "a character that cannot be printed")
        reason = f"character {position} is U+{ord(character):04X} ({name})"
        plain = _LOOK_ALIKES.get(character, unicodedata.normalize("NFKC", character))
        if plain.isascii() and plain.isprintable():
            reason += f"; it looks like {plain!r}: type it again"
        raise Rejected(Status.NOT_SMILES, reason)


def _split_extension(rest: str) -> tuple[str, str, str]:
    """What follows the SMILES: its CX block, the name after it, and a note if the block is cut."""
    if not rest.startswith("|"):
        return "", rest, ""
    end = rest.find("|", 1)
    if end < 0:
        return "", "", f"cx dropped: the extension {shown(rest)} has no end"
    return rest[: end + 1], rest[end + 1 :].strip(), ""


def _check_meaning(smiles: str) -> None:
    """Refuse what RDKit would accept as something else: reactions, patterns, wrapped numbers."""
    arrows = smiles.replace("->", "").replace("<-", "")
    if arrows.count(">") == 2 and "<" not in arrows:
        raise Rejected(Status.REACTION, "a reaction; give one molecule in a row")
    if query := _QUERY.search(smiles):
        reason = f"{shown(query[0])} stands for more than one atom or bond; give a whole molecule"
        raise Rejected(Status.WILDCARD_OR_QUERY, reason)
    if number := _OUT_OF_RANGE.search(smiles):
        reason = f"range: {shown(number[0])} has an isotope, charge or hydrogens that no atom has"
        raise Rejected(Status.PARSE_ERROR, reason)


def _check_size(smiles: str) -> None:
    n_atoms = sum(atom != "[H]" for atom in _ATOM.findall(smiles))
    if n_atoms > MAX_ATOMS:
        raise Rejected(Status.TOO_LARGE, f"{n_atoms:,} atoms (at most {MAX_ATOMS} are read)")
    n_rings = sum(map(bool, _RING_CLOSURE.findall(smiles))) // 2
    if n_rings > MAX_RINGS:
        raise Rejected(Status.TOO_LARGE, f"{n_rings:,} rings (at most {MAX_RINGS} are read)")
    n_fragments = smiles.count(".") + 1
    if n_fragments > MAX_FRAGMENTS:
        reason = f"{n_fragments:,} fragments (at most {MAX_FRAGMENTS} are read)"
        raise Rejected(Status.TOO_LARGE, reason)
    if smiles.count("(") > MAX_NESTING and (depth := _depth(smiles)) > MAX_NESTING:
        reason = f"branches nested {depth:,} deep (at most {MAX_NESTING} are read)"
        raise Rejected(Status.TOO_LARGE, reason)


def _depth(smiles: str) -> int:
    depth = deepest = 0
    for character in smiles:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _check_extension(extension: str, n_atoms: int) -> None:
    """RDKit ignores atoms that are not there, and polymer marks on ordinary atoms."""
    if _CX_QUERY.search(extension):
        reason = f"{shown(extension)} marks a polymer, an R group or another set of structures"
        raise Rejected(Status.WILDCARD_OR_QUERY, reason)
    for atoms in _CX_ATOMS.finditer(extension):
        # Compared by length first: Python refuses to read a number of more than 4,300 digits.
        last = str(n_atoms - 1)
        for atom in atoms[1].split(","):
            if (len(atom), atom) > (len(last), last):
                reason = f"cx: no atom {shown(atom)} in {shown(extension)}; the last is {last}"
                raise Rejected(Status.PARSE_ERROR, reason)
