"""SDF: records between `$$$$` lines, each a molblock and its data items, read one at a time."""

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import cast

from rdkit import Chem, rdBase

from molmeta.assays.readers.records import Record, Records, damaged
from molmeta.chem.intake import MAX_ATOMS, Rejection, Status
from molmeta.errors import InputError

MAX_RECORD = 10_000_000
"""Characters in one record."""

_HEAD_RECORDS = 1_000
_ITEM = re.compile(r">.*?<(.+)>")


def looks_like_sdf(sample: list[str]) -> bool:
    """Whether the first lines are those of a molblock."""
    return any(
        line.startswith(("M  END", "$$$$")) or re.search(r"V[23]000\s*$", line) for line in sample
    )


def read_sdf(lines: Iterator[str], *, source: str, notes: list[str]) -> Records:
    """Records of an SD file: the SMILES written from each, its title, and its data items.

    The columns are the data items of the first 1,000 records; an item that only turns up later is
    left out, and said so.
    """
    texts = _record_texts(lines, source)
    head = list(islice(texts, _HEAD_RECORDS))
    names: dict[str, None] = {}
    for text in head:
        names.update(dict.fromkeys(_items(text)))
    items = tuple(names)
    smiles, title = _unused("smiles", items), _unused("title", items)
    return Records(
        "sdf",
        (smiles, title, *items),
        _records(chain(head, texts), items, notes),
        smiles_column=smiles,
    )


def _record_texts(lines: Iterator[str], source: str) -> Iterator[list[str]]:
    record: list[str] = []
    size = 0
    for line in lines:
        if line.startswith("$$$$"):
            yield record
            record, size = [], 0
            continue
        record.append(line.rstrip("\r\n"))
        size += len(line)
        if size > MAX_RECORD:
            raise InputError(
                f"{source}: a record is longer than {MAX_RECORD} characters; a $$$$ line is missing"
            )
    if any(line.strip() for line in record):  # the last $$$$ may be missing
        yield record


def _records(
    texts: Iterator[list[str]], items: tuple[str, ...], notes: list[str]
) -> Iterator[Record]:
    late: dict[str, None] = {}
    for number, text in enumerate(texts, start=1):
        values = _items(text)
        late.update(dict.fromkeys(name for name in values if name not in items))
        smiles, problem = _smiles(text, number)
        title = text[0] if text else ""
        cells = (smiles, title, *(values.get(name, "") for name in items))
        if problem is None and any("\0" in cell for cell in cells):
            problem = damaged(f"record {number} holds a NUL byte")
        yield Record(number, cells, problem)
    if late:
        notes.append(
            f"data items first met after record {_HEAD_RECORDS} were left out: {', '.join(late)}"
        )


def _smiles(text: list[str], number: int) -> tuple[str, Rejection | None]:
    """SMILES of the molblock in a record, or why there is none."""
    end = next((i + 1 for i, line in enumerate(text) if line.startswith("M  END")), None)
    if end is None:
        return "", damaged(f"record {number} has no line 'M  END': it is cut short or no molblock")
    if any(line.startswith("M  END") for line in text[end:]):  # RDKit would drop the second
        return "", damaged(f"record {number} holds several molblocks: a $$$$ line is missing")
    block = "\n".join(text[:end]) + "\n"
    with rdBase.BlockLogs():
        mol = cast("Chem.Mol | None", Chem.MolFromMolBlock(block))
        if mol is None:
            return "", _why_not(block, number)
    if mol.GetNumAtoms() == 0:
        return "", Rejection(Status.EMPTY, f"record {number} has no atoms")
    if mol.GetNumAtoms() > MAX_ATOMS:  # writing SMILES of very long chains can crash RDKit
        return "", Rejection(Status.TOO_LARGE, f"record {number} has {mol.GetNumAtoms()} atoms")
    return Chem.MolToSmiles(mol), None


def _why_not(block: str, number: int) -> Rejection:
    mol = cast("Chem.Mol | None", Chem.MolFromMolBlock(block, sanitize=False, removeHs=False))
    if mol is None:
        return damaged(f"record {number}: its molblock cannot be read")
    problems = Chem.DetectChemistryProblems(mol)
    reason = problems[0].Message() if problems else "its structure is not valid"
    return Rejection(Status.SANITIZE_ERROR, f"record {number}: {reason}")


def _items(text: list[str]) -> dict[str, str]:
    """Data items of a record; a value of several lines keeps its line ends."""
    values: dict[str, str] = {}
    lines = iter(text)
    for line in lines:
        if line.startswith(">") and (match := _ITEM.match(line)):
            values[match[1]] = "\n".join(_until_blank(lines))
    return values


def _until_blank(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line:
            return
        yield line


def _unused(name: str, taken: tuple[str, ...]) -> str:
    while name in taken:
        name = f"record_{name}"
    return name
