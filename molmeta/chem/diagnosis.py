"""Why RDKit could not read a text: what it probably is, or where the mistake stands."""

import re
from typing import Any

from rdkit import Chem, rdBase

from molmeta.chem.status import Status, listed, shown

_EMPTY_CELLS = frozenset(
    {"na", "n/a", "#n/a", "<na>", "n.a.", "nan", "nat", "none", "null", "nil", "missing"}
    | {"-", "--", "?"}
)

_NOT_SMILES = {
    "an InChI; convert it to SMILES": re.compile(r"InChI=|1S?/[A-Z]", re.I),
    "an InChIKey, which has no structure; look up its SMILES": re.compile(
        r"[A-Z]{14}-[A-Z]{10}-[A-Z]"
    ),
    "a CAS number; look up its SMILES": re.compile(r"\d{2,7}-\d\d-\d$"),
    "a number; give the structure as SMILES": re.compile(r"[+-]?\d[\d.,]*(?:e[+-]?\d+)?%?$", re.I),
    "a database identifier; look up its SMILES": re.compile(
        r"(?:CHEMBL|CHEBI:|ZINC|DB|CID|SID|DTXSID|MFCD|BDBM)[ :]?\d+(?:[_.-]\w+)?$", re.I
    ),
    "HELM; convert it to SMILES": re.compile(r"(?:PEPTIDE|RNA|CHEM|BLOB)\d+\{"),
    "SELFIES; convert it to SMILES": re.compile(r"\[.*\[[=#/\\]{0,2}(?:Branch|Ring)\d"),
    "a molecular formula; give the structure as SMILES": re.compile(r"(?=.*H)(?:[A-Z][a-z]?\d*)+$"),
}
_R_GROUP = re.compile(r"\[\d*[AQRXM]\d*\]|(?<!B)R\d|\[[^\[\]]*[A-Za-z\d][DRXhrvx]\d[^\[\]]*\]")
_WRONG_CASE = re.compile(r"CL|BR|\[[A-Z][A-GI-Z]|(?<!C)l")
_VALENCE = re.compile(r"Explicit valence for atom # (\d+) (\w+), (\d+), is greater than permitted")
_BRACKET = re.compile(r"\[[^\[\]]*\]")
_WORD = re.compile(r"[a-z]{3,}")
_LEFT_OF_DELIMITER = re.compile(r"([^,;|]{3,})[,;|]")

_ELEMENT = "|".join(
    sorted((Chem.GetPeriodicTable().GetElementSymbol(z) for z in range(1, 119)), reverse=True)
)
_TOKEN = re.compile(
    rf"(?P<atom>\[\d*(?:{_ELEMENT}|se|as|te|[bcnops])"
    r"(?:@@?|@(?:TH|AL)[12]|@SP[123]|@TB(?:1?[1-9]|[12]0)|@OH(?:[12]?[1-9]|[123]0))?(?:H\d*)?"
    r"(?:\+\d+|\++|-\d+|-+)?(?::\d+)?\]|Cl|Br|[BCNOPSFIbcnops])"
    r"|(?P<bond>->|<-|[-=#$:/\\])|(?P<ring>%\d\d|%\(\d+\)|\d)|(?P<open>\()|(?P<close>\))|(?P<dot>\.)"
)
# Kind of token -> what it cannot stand right after.
_CANNOT_FOLLOW = {
    "atom": (),
    "bond": ("start", "dot", "bond"),
    "ring": ("start", "dot", "open"),
    "open": ("start", "dot", "bond", "open"),
    "close": ("start", "dot", "bond", "open"),
    "dot": ("start", "dot", "bond", "open"),
}


def diagnose(smiles: str, text: str) -> tuple[Status, str]:
    """The verdict on a SMILES that RDKit refused.

    Args:
        smiles: what RDKit was given.
        text: the row it was taken from.
    """
    text = text.strip()
    if text.casefold() in _EMPTY_CELLS:
        return Status.EMPTY, f"{shown(text)} marks an empty cell"
    for what, pattern in _NOT_SMILES.items():
        if pattern.match(text):
            return Status.NOT_SMILES, f"{shown(text)} looks like {what}"
    if group := _R_GROUP.search(smiles):
        reason = f"{shown(group[0])} is an R group or a query; give a whole molecule"
        return Status.WILDCARD_OR_QUERY, reason
    if (left := _LEFT_OF_DELIMITER.match(text)) and _parses(left[1]):
        reason = f"{shown(left[1])} alone is SMILES; is {text[left.end(1)]!r} the delimiter?"
        return Status.PARSE_ERROR, reason
    if any(not set(word) <= set("bcnops") for word in _WORD.findall(_BRACKET.sub("", smiles))):
        reason = f"{shown(text)} looks like a name or other words; give the structure as SMILES"
        return Status.NOT_SMILES, reason
    if problems := _chemistry_problems(smiles):
        return Status.SANITIZE_ERROR, problems
    hint = "; write two-letter elements as Cl, Br, [Na+]" if _WRONG_CASE.search(smiles) else ""
    return Status.PARSE_ERROR, first_mistake(smiles) + hint


def first_mistake(smiles: str) -> str:
    """The first breach of the SMILES grammar, with its position counted from 1.

    RDKit says this too, but only to its log; reading the log means to switch it for the whole
    process, which forgets where the user had sent it and what was silenced.
    """
    before, position = "start", 0
    branches: list[tuple[int, int]] = []
    rings: dict[str, tuple[int, int]] = {}
    bonded: set[frozenset[int]] = set()
    n_atoms = atom = 0
    while position < len(smiles):
        at = f"at character {position + 1}"
        token = _TOKEN.match(smiles, position)
        if token is None:
            if smiles[position] == "[" and "]" not in smiles[position:]:
                return f"the bracket opened {at} is never closed"
            return f"{shown(smiles[position:])} {at} is not SMILES"
        kind = str(token.lastgroup)
        if before in _CANNOT_FOLLOW[kind]:
            return f"an atom is missing before {token[0]!r} {at}"
        if kind == "atom":
            n_atoms += 1
            if before not in ("start", "dot"):
                bonded.add(frozenset((atom, n_atoms)))
            atom = n_atoms
        elif kind == "ring":
            number = token[0].strip("%()").lstrip("0") or "0"
            if number not in rings:
                rings[number] = (position, atom)
            else:
                ends = frozenset((rings.pop(number)[1], atom))
                if len(ends) == 1:
                    return f"ring closure {number} {at} joins an atom to itself"
                if ends in bonded:
                    return f"ring closure {number} {at} joins two atoms that are bonded already"
                bonded.add(ends)
        elif kind == "open":
            branches.append((position, atom))
        elif kind == "close":
            if not branches:
                return f"the parenthesis closed {at} was never opened"
            atom = branches.pop()[1]
        before, position = kind, token.end()
    if before in _CANNOT_FOLLOW["close"]:
        return f"an atom is missing at the end, character {position + 1}"
    if branches:
        return f"the parenthesis opened at character {branches[-1][0] + 1} is never closed"
    for number, (start, _) in rings.items():
        return f"ring closure {number} opened at character {start + 1} is never closed"
    return "RDKit cannot read it as SMILES"


def _parses(smiles: str) -> bool:
    try:
        with rdBase.BlockLogs():
            return Chem.MolFromSmiles(smiles) is not None
    except (ValueError, RuntimeError):
        return False


def _chemistry_problems(smiles: str) -> str:
    """What is chemically impossible in a SMILES of correct grammar; '' if the grammar is not."""
    try:
        with rdBase.BlockLogs():
            mol = Chem.MolFromSmiles(smiles, sanitize=False)
            problems = [] if mol is None else list(Chem.DetectChemistryProblems(mol))
            if mol is not None and not problems:
                Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:  # one that shows only after others were looked for
        problems = [error.cause]  # type: ignore[attr-defined]
    except (ValueError, RuntimeError) as error:
        return str(error).strip().splitlines()[0]
    if not problems:
        return ""
    words = listed(dict.fromkeys(_in_words(problem) for problem in problems), "; ")
    if any(problem.GetType() == "KekulizeException" for problem in problems) and "n" in smiles:
        words += "; an aromatic n may lack its hydrogen, [nH]"
    return f"{words} (atoms are counted from 0)"


def _in_words(problem: Any) -> str:
    """What RDKit found, for who does not know its terms."""
    message = " ".join(problem.Message().split())
    if problem.GetType() == "KekulizeException":
        atoms = listed(map(str, problem.GetAtomIndices()), " ")
        return f"the aromatic atoms {atoms} cannot have alternating double bonds"
    if problem.GetType() == "AtomKekulizeException":
        return f"atom {problem.GetAtomIdx()} is written aromatic, but is in no aromatic ring"
    if valence := _VALENCE.match(message):
        return "atom {} {} has valence {}, more than it can have".format(*valence.groups())
    return message.replace("#", "")
