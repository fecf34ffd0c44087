"""SMI: a list of molecules, one a line, each with an optional name.

The rule: the first token of a line is the SMILES, what follows the blanks or tabs after it is the
`name`, blanks included. An extension between bars (CXSMILES, `CC |...|`) belongs to the SMILES. A
line that starts with a tab has no SMILES. A blank line is a row of its own.
"""

from collections.abc import Iterator

from molmeta.assays.readers.columns import is_smiles_header
from molmeta.assays.readers.records import Record, Records, damaged
from molmeta.errors import InputError

COLUMNS = ("smiles", "name")


def read_smi(
    lines: Iterator[str], *, header: bool | None, source: str, notes: list[str]
) -> Records:
    """Records of a list of SMILES; a first line whose first word is `smiles` or alike is a header.

    Raises:
        InputError: the first line is a comment.
    """
    first = next(lines, "")
    token = first.split(maxsplit=1)[0] if first.strip() else ""
    has_header = is_smiles_header(token) if header is None else header
    if has_header:
        notes.append(f"the first line, '{first.strip()[:60]}', was taken for a header")
    elif token.startswith("#"):
        raise InputError(
            f"{source} starts with the comment '{first.strip()[:40]}'; remove it, or turn it into "
            "a header whose first word is 'smiles'"
        )
    return Records("smi", COLUMNS, _records(first, lines, has_header), smiles_column="smiles")


def _records(first: str, lines: Iterator[str], has_header: bool) -> Iterator[Record]:
    if not has_header:
        yield _record(1, first)
    for number, line in enumerate(lines, start=2):
        yield _record(number, line)


def _record(number: int, line: str) -> Record:
    line = line.rstrip("\r\n")
    problem = damaged(f"line {number} holds a NUL byte") if "\0" in line else None
    if line.startswith("\t") or not line.strip():
        return Record(number, ("", line.strip()), problem)
    smiles = line.split(maxsplit=1)[0]
    name = line.lstrip()[len(smiles) :].lstrip()
    if name.startswith("|") and (end := name.find("|", 1)) > 0:
        smiles, name = f"{smiles} {name[: end + 1]}", name[end + 1 :].lstrip()
    return Record(number, (smiles, name), problem)
