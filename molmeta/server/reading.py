"""A table of measured compounds to a support set: read with what the user chose, or a proposal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from molmeta.assays.entries import SupportRow
from molmeta.assays.label_column import Side, read_labels
from molmeta.assays.measured_support import MeasuredSupport, read_measured_support
from molmeta.assays.support import SupportSet, read_support
from molmeta.errors import MolmetaError, SupportError
from molmeta.server.proposal import proposed_label_place, proposed_threshold
from molmeta.server.uploads import opened

ReadAs = Literal["classes", "threshold", "values"]
"""Labels that are classes already; values made classes by a threshold; values as they are."""

_WITHIN: Final = r"(?:[^.]|\.(?=\S))*"
"""Some of a sentence; a point in it stands within a number."""
_FLAGS: Final = re.compile(
    rf"\s*\([^()]*--[a-z][^()]*\)|\s*\b[A-Z]{_WITHIN}\s--[a-z]{_WITHIN}\.",
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user said of a table of measured compounds; None where nothing."""

    smiles_column: str | None = None
    label_column: str | None = None
    read_as: ReadAs | None = None
    threshold: str | None = None
    active: Side | None = None


@dataclass(frozen=True, slots=True)
class SupportReading:
    """A table of measured compounds, and what was made of it."""

    support: SupportSet | MeasuredSupport | None
    """None where there is a problem."""
    problem: str
    """Why nothing can be learned from it, or what the user has to choose; '' if all is well."""
    columns: tuple[str, ...]
    choices: Choices
    """The user's, completed by what was found or proposed."""

    @property
    def rows(self) -> Sequence[SupportRow]:
        """The verdict on each row; none where there is a problem."""
        return () if self.support is None else self.support.rows


def read_measured(content: bytes, name: str, choices: Choices) -> SupportReading:
    """The support in an unpacked upload.

    Raises:
        InputError: it cannot be used at all; the sentence says why.
    """
    with opened(content, name, choices.smiles_column) as table:
        columns = table.columns
        choices = replace(choices, smiles_column=table.smiles_column)
        try:
            place = proposed_label_place(table, choices.label_column)
        except SupportError as error:
            return SupportReading(None, without_flags(str(error)), columns, choices)
        # As in `read_support`: what stands beside no structure is often a heading or a sum.
        labels = [row.cells[place] if row.smiles.strip() else "" for row in table]
    choices = _completed(replace(choices, label_column=columns[place]), labels)
    try:
        support = _support(content, name, choices)
    except MolmetaError as error:
        return SupportReading(None, without_flags(str(error)), columns, choices)
    return SupportReading(support, "", columns, choices)


def without_flags(text: str) -> str:
    """The text without brackets and sentences for those who use a shell: `(--threshold 6)`."""
    return _FLAGS.sub("", text)


def _completed(choices: Choices, labels: Sequence[str]) -> Choices:
    """The choices with a proposal for what is missing to make classes."""
    if choices.read_as is None:
        choices = replace(choices, read_as="classes" if _are_classes(labels) else "threshold")
    if choices.read_as == "threshold" and not (choices.threshold and choices.active):
        proposal = proposed_threshold(labels, str(choices.label_column))
        threshold, active = proposal or (None, None)
        choices = replace(
            choices,
            threshold=choices.threshold or threshold,
            active=choices.active or active,
        )
    return choices


def _are_classes(labels: Sequence[str]) -> bool:
    try:
        read_labels(labels)
    except SupportError:
        return False
    return True


def _support(content: bytes, name: str, choices: Choices) -> SupportSet | MeasuredSupport:
    with opened(content, name, choices.smiles_column) as table:
        if choices.read_as == "values":
            return read_measured_support(table, value_column=choices.label_column)
        by_value = choices.read_as == "threshold"
        if by_value and not (choices.threshold and choices.active):
            raise SupportError(
                f"'{choices.label_column}' holds measured values: say from which value on a "
                "compound is active, and whether active is above or below"
            )
        return read_support(
            table,
            label_column=choices.label_column,
            threshold=choices.threshold if by_value else None,
            active=choices.active if by_value else None,
            allow_tiny=True,
        )
