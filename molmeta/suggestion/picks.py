"""A pick: one compound of the batch, with its cells in a table and its reason in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from molmeta.assays.tables import Row
from molmeta.assays.task import MeasuredMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto
from molmeta.scores import DOMAIN_SIMILARITY, ScoredRow
from molmeta.target import TargetModel

NUMERIC: Final = (
    "pick",
    "probability",
    "value",
    "low",
    "high",
    "similarity",
    "similarity_to_picks",
)
"""The appended columns that hold numbers or nothing."""


def appended_columns(values: bool) -> tuple[str, ...]:
    """What a table of picks has after the library's own columns.

    Args:
        values: whether values are predicted.
    """
    answer = "value" if values else "probability"
    return (
        "pick",
        answer,
        "low",
        "high",
        "similarity",
        "similarity_to_picks",
        "known",
        "status",
        "why",
    )


@dataclass(frozen=True, slots=True)
class Pick:
    """One compound of the batch."""

    number: int
    """Its place in the batch, from 1."""
    row: Row
    """Of the library, its cells unchanged."""
    scored: ScoredRow
    similarity_to_picks: float | None
    """Tanimoto similarity to the nearest earlier pick, 0 to 1; None for the first."""
    why: str
    """The reason for the pick, in words."""

    def cells(self, values: bool) -> tuple[str, ...]:
        """The cells of `appended_columns`; what is not known is an empty cell."""
        one = self.scored
        answer = one.value if values else one.probability
        numbers = (answer, one.low, one.high, one.similarity, self.similarity_to_picks)
        cells = ("" if number is None else f"{number:.6g}" for number in numbers)
        return (str(self.number), *cells, "true" if one.seen else "", one.status, self.why)


def nearest_support(target: TargetModel, molecules: MoleculeBatch) -> list[str]:
    """The support compound nearest to each molecule, with what was measured of it: [n]."""
    support = target.support
    places = tanimoto(support.molecules, molecules).argmax(0).tolist()
    smiles = target.checkpoint.support_smiles
    if isinstance(support, MeasuredMolecules):
        marks, values = support.relations.tolist(), support.values.tolist()
        return [
            f"{smiles[p]} ({('', 'above ', 'below ')[marks[p]]}{values[p]:.2f})" for p in places
        ]
    labels = support.labels.tolist()
    return [f"{smiles[p]} ({'active' if labels[p] else 'inactive'})" for p in places]


def why_picked(scored: ScoredRow, place: int, near: str, target: TargetModel) -> str:
    """The reason for a pick in words.

    Args:
        scored: what the model says of it.
        place: among all candidates by score, from 0.
        near: its nearest support compound.
        target: what the scores are of.
    """
    if scored.probability is not None:
        share = target.n_active / len(target.support)
        answer = f"active with probability {scored.probability:.2f} ({share:.2f} of your own are)"
    elif scored.value is not None:
        answer = f"{scored.value:.2f} expected ({scored.low:.2f} to {scored.high:.2f})"
    else:
        answer = "like your actives"
    assert scored.similarity is not None
    likeness = (
        "most like"
        if scored.similarity >= DOMAIN_SIMILARITY
        else "new chemistry, a guess: nearest is"
    )
    return (
        f"rank {place + 1:,} by score: {answer}; {likeness} your {near}, "
        f"similarity {scored.similarity:.2f}"
    )
