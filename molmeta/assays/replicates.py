"""Rows of one compound to one label, and compounds that are almost the same."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors, rdMolHash

from molmeta.assays.label_column import Label, Scale
from molmeta.chem.intake import Molecule

Conflict = Literal["drop", "error", "majority"]


@dataclass(frozen=True, slots=True)
class Replicate:
    """One row with a molecule and a label that gives a class."""

    number: int
    text: str
    molecule: Molecule
    label: Label


@dataclass(frozen=True, slots=True)
class Merged:
    """What the rows of one compound came to."""

    active: bool | None
    """None where they contradict each other."""
    kept: Mapping[int, str]
    """Rows that count, by number, with what happened to them; '' for nothing."""
    conflicting: Mapping[int, str]
    """Rows left out because others contradict them, with the reason."""
    note: str = ""
    """What the user should know of this compound."""


def merge(rows: Sequence[Replicate], scale: Scale | None, conflict: Conflict) -> Merged:
    """One class for the rows of one compound.

    Rows that agree are merged. Exact values are replicates: their median decides the class, and a
    spread of more than one log unit is noted. Other contradictions follow `conflict`; under "error"
    contradicting values are left undecided too, for the caller to refuse.
    """
    votes = Counter(row.label.active for row in rows)
    merged = {row.number: f"merged: the compound of row {rows[0].number}" for row in rows[1:]}
    kept = {rows[0].number: "", **merged}
    values = [row.label.value for row in rows if row.label.value is not None]
    is_numeric = scale is not None and len(values) == len(rows)
    if scale is not None and is_numeric and (len(votes) == 1 or conflict != "error"):
        return Merged(*_by_median(rows, scale, values, kept))
    if len(votes) == 1:
        return Merged(rows[0].label.active, kept, {})
    told = f"rows {_listed(rows)} ({rows[0].molecule.smiles}) are active and inactive both"
    winner, count = votes.most_common(1)[0]
    if conflict == "majority" and 2 * count > len(rows):
        reason = f"outvoted: {count} of {len(rows)} rows of this compound say otherwise"
        out = {row.number: reason for row in rows if row.label.active != winner}
        kept = {number: reason for number, reason in kept.items() if number not in out}
        return Merged(winner, kept, out, f"{told}; the majority counts")
    out = {row.number: f"contradiction: {told}" for row in rows}
    return Merged(None, {}, out, told if conflict == "error" else f"{told}, and were left out")


def look_alike_notes(compounds: Iterable[Sequence[Replicate]]) -> Iterator[str]:
    """Compounds that differ only as stereoisomers or tautomers do, told as a note, if any."""
    groups: dict[str, list[Sequence[Replicate]]] = defaultdict(list)
    # Such compounds have one formula, which costs a tenth of the hash.
    formulas = [(rdMolDescriptors.CalcMolFormula(rows[0].molecule.mol), rows) for rows in compounds]
    shared = Counter(formula for formula, _ in formulas)
    for formula, rows in formulas:
        if shared[formula] == 1:
            continue
        flat = Chem.Mol(rows[0].molecule.mol)
        Chem.RemoveStereochemistry(flat)
        key = rdMolHash.MolHash(flat, rdMolHash.HashFunction.HetAtomTautomerv2)
        groups[key].append(rows)
    alike = [group for group in groups.values() if len(group) > 1]
    if alike:
        shown = "; ".join(_listed([row for rows in group for row in rows]) for group in alike[:5])
        yield (
            f"{len(alike)} groups of rows differ only as stereoisomers or tautomers do, and count "
            f"as different compounds: rows {shown}"
        )


def _by_median(
    rows: Sequence[Replicate], scale: Scale, values: Sequence[float], kept: Mapping[int, str]
) -> tuple[bool, Mapping[int, str], Mapping[int, str], str]:
    if len(rows) == 1:
        return scale.is_active(values[0]), kept, {}, ""
    middle, spread = scale.median(values), scale.spread(values)
    reason = f"the median of {len(rows)} values, {middle:.4g}, counts"
    told = {number: "; ".join(filter(None, (text, reason))) for number, text in kept.items()}
    note = ""
    if spread > 1 or len({row.label.active for row in rows}) > 1:
        note = f"the values of rows {_listed(rows)} lie {spread:.1f} log units apart; {reason}"
    return scale.is_active(middle), told, {}, note


def _listed(rows: Sequence[Replicate]) -> str:
    return ", ".join(str(number) for number in sorted(row.number for row in rows))
