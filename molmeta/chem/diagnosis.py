"""Why RDKit could not read a text: what it probably is, or where the mistake stands."""

import re

from rdkit import Chem, rdBase

from molmeta.chem.status import Status, shown

_EMPTY_CELLS = frozenset(
    {"na", "n/a", "#n/a", "<na>", "n.a.", "nan", "nat", "none", "null", "nil", "missing"}
    | {"-", "--", "?"}
)

_NOT_SMILES = {
    "an InChI; convert it to SMILES": re.compile(r"InChI=", re.I),
    "an InChIKey, which has no structure; look up its SMILES": re.compile(
        r"[A-Z]{14}-[A-Z]{10}-[A-Z]"
    ),
    "a CAS number; look up its SMILES": re.compile(r"\d{2,7}-\d\d-\d$"),
    "a database identifier; look up its SMILES": re.compile(
        r"(?:CHEMBL|CHEBI:|ZINC|DB|CID|SID|DTXSID|MFCD|BDBM)[ :]?\d+$", re.I
    ),
    "HELM; convert it to SMILES": re.compile(r"(?:PEPTIDE|RNA|CHEM|BLOB)\d+\{"),
    "SELFIES; convert it to SMILES": re.compile(r"\[.*\[[=#/\\]{0,2}(?:Branch|Ring)\d"),
    "a molecular formula; give the structure as SMILES": re.compile(r"(?=.*H)(?:[A-Z][a-z]?\d*)+$"),
}
_R_GROUP = re.compile(r"\[\d*[AQRXM]\d*\]|(?<!B)R\d")
_WRONG_CASE = re.compile(r"CL|BR|\[[A-Z][A-GI-Z]|(?<!C)l")
_BRACKET = re.compile(r"\[[^\[\]]*\]")
_WORD = re.compile(r"[a-z]{3,}")
_LEFT_OF_DELIMITER = re.compile(r"([^,;|]{3,})[,;|]")

_ELEMENT = "|".join(
    sorted((Chem.GetPeriodicTable().GetElementSymbol(z) for z in range(1, 119)), reverse=True)
)
_TOKEN = re.compile(
    rf"(?P<atom>\[\d*(?:{_ELEMENT}|se|as|te|[bcnops])(?:@[A-Z@0-9]*)?(?:H\d*)?"
    r"(?:\++\d*|-+\d*)?(?::\d+)?\]|Cl|Br|[BCNOPSFIbcnops])"
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
    branches: list[int] = []
    rings: dict[str, tuple[int, int]] = {}
    n_atoms = 0
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
        elif kind == "ring":
            number = token[0].strip("%()").lstrip("0") or "0"
            if number not in rings:
                rings[number] = (position, n_atoms)
            elif rings.pop(number)[1] == n_atoms:
                return f"ring closure {number} {at} joins an atom to itself"
        elif kind == "open":
            branches.append(position)
        elif kind == "close":
            if not branches:
                return f"the parenthesis closed {at} was never opened"
            branches.pop()
        before, position = kind, token.end()
    if before in _CANNOT_FOLLOW["close"]:
        return f"an atom is missing at the end, character {position + 1}"
    if branches:
        return f"the parenthesis opened at character {branches[-1] + 1} is never closed"
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
            problems = [] if mol is None else Chem.DetectChemistryProblems(mol)
    except (ValueError, RuntimeError) as error:
        return str(error).strip().splitlines()[0]
    words = []
    for problem in problems:
        words.append(" ".join(problem.Message().replace("#", "").split()).rstrip("."))
        if problem.GetType() == "KekulizeException" and "n" in smiles:
            words.append("an aromatic n may lack its hydrogen, [nH]")
    return "; ".join(dict.fromkeys(words)) + (" (atoms are counted from 0)" if words else "")
