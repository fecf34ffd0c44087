"""What the API answers, field by field; the OpenAPI document is made from these."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from molmeta.assays.label_column import Side
from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.support import SupportSet
from molmeta.evaluation.check import SelfCheck
from molmeta.report.verdict import Believed
from molmeta.server.reading import ReadAs, SupportReading, without_flags
from molmeta.server.runs import Run, State
from molmeta.server.uploads import Library, Limits

LONGEST_CELL = 300
"""Characters of a cell in an answer; the table to download has all of them."""


class Message(BaseModel):
    """The docstring under a field is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Problem(Message):
    """Why a request was refused."""

    detail: str
    """One sentence."""


class About(Message):
    """The server and what it takes."""

    version: str
    model_sha256: str
    has_memory: bool
    """Whether the model can draw on what public assays said of compounds that it knows."""
    is_private: bool
    """Whether only this computer can reach the page."""
    limits: Limits


class RowVerdict(Message):
    """What became of one row of a table."""

    row: int
    """From 1, without the header."""
    structure: str
    """As given."""
    label: str = ""
    """As given."""
    status: str
    reason: str
    """What was changed, doubted or wrong; '' when nothing."""
    is_used: bool


class SupportRead(Message):
    """A table of measured compounds as it was read."""

    support: str | None
    """The name to start a run with; none where there is a problem."""
    problem: str
    """Why nothing can be learned from the table, or what has to be chosen."""
    columns: list[str]
    smiles_column: str
    label_column: str | None
    read_as: ReadAs | None
    threshold: str | None
    active: Side | None
    """The side of the threshold that is active."""
    n_compounds: int
    n_active: int | None
    """None where the values themselves are learned."""
    unit: str
    """Of the values; '' for classes."""
    notes: list[str]
    rows: list[RowVerdict]

    @classmethod
    def of(cls, reading: SupportReading, name: str | None) -> SupportRead:
        """The reading, kept under `name`."""
        support, choices = reading.support, reading.choices
        return cls(
            support=name,
            problem=reading.problem,
            columns=list(reading.columns),
            smiles_column=choices.smiles_column or "",
            label_column=choices.label_column,
            read_as=choices.read_as,
            threshold=choices.threshold,
            active=choices.active,
            n_compounds=0 if support is None else len(support),
            n_active=round(sum(support.labels)) if isinstance(support, SupportSet) else None,
            unit=support.unit if isinstance(support, MeasuredSupport) else "",
            notes=[] if support is None else list(support.notes),
            rows=[
                RowVerdict(
                    row=row.number,
                    structure=shortened(row.text),
                    label=shortened(row.label_text),
                    status=row.status,
                    reason=row.reason,
                    is_used=row.is_kept,
                )
                for row in reading.rows
            ],
        )


class LibraryRead(Message):
    """A table of compounds to rank as it was read."""

    library: str
    """The name to start a run with."""
    n_rows: int
    n_looked_at: int
    """Rows, from the first, whose structures were read already."""
    columns: list[str]
    smiles_column: str
    notes: list[str]
    problems: list[RowVerdict]
    """Of the rows looked at, those without a structure that can be judged."""

    @classmethod
    def of(cls, library: Library, name: str, looked_at: int) -> LibraryRead:
        """The library, kept under `name`."""
        return cls(
            library=name,
            n_rows=len(library.rows),
            n_looked_at=min(looked_at, len(library.rows)),
            columns=list(library.columns),
            smiles_column=library.smiles_column,
            notes=list(library.notes),
            problems=[
                RowVerdict(
                    row=row.number,
                    structure=shortened(row.smiles),
                    status=why.status,
                    reason=why.reason,
                    is_used=False,
                )
                for row, why in library.problems
            ],
        )


class RunWanted(Message):
    """What to rank, and by what."""

    support: str
    library: str
    memory: bool = True
    """Whether the model may draw on what public assays said of compounds that it knows."""


class Belief(Message):
    """Whether to believe the ranking."""

    verdict: str
    """For classes "use it", "no better than similarity search" or "do not use"; for values how the
    model compares with guessing their mean; or "no verdict"."""
    reason: str
    check: SelfCheck | None
    """What the verdict rests on."""

    @classmethod
    def of(cls, believed: Believed) -> Belief:
        """The same."""
        return cls(
            verdict=believed.verdict, reason=without_flags(believed.reason), check=believed.check
        )


class RunState(Message):
    """How far a run has come."""

    run: str
    state: State
    problem: str
    """Why it failed."""
    n_done: int
    """Rows scored."""
    n_rows: int
    is_ranked: bool
    """Whether the compounds can be asked for; the verdict comes later."""
    predicts_values: bool
    has_probabilities: bool
    """False for values, and where the support has actives alone: these rank by similarity."""
    columns: list[str]
    """Of the library."""
    smiles_column: str
    belief: Belief | None

    @classmethod
    def of(cls, run: Run, name: str, believed: Belief | None) -> RunState:
        """The state now."""
        target = run.target
        values = target is not None and target.predicts_values
        return cls(
            run=name,
            state=run.state,
            problem=run.problem,
            n_done=len(run.scored),
            n_rows=len(run.library.rows),
            is_ranked=run.is_ranked,
            predicts_values=values,
            has_probabilities=target is not None and not values and target.has_both_classes,
            columns=list(run.library.columns),
            smiles_column=run.library.smiles_column,
            belief=believed,
        )


class Compound(Message):
    """One row of the library with its score."""

    row: int
    """From 1, without the header."""
    rank: int | None
    """From 1; none without a score."""
    smiles: str | None
    """Of the molecule that was scored."""
    cells: list[str]
    """The row as given, a cell for each of the columns, long ones shortened."""
    probability: float | None
    value: float | None
    low: float | None
    high: float | None
    deviation: float | None
    similarity: float | None
    """To the nearest measured compound, 0 to 1."""
    in_support: bool
    seen: bool
    """Whether the model met it in meta-training."""
    status: str
    reason: str

    @classmethod
    def of(cls, run: Run, place: int) -> Compound:
        """The row at `place`, from 0."""
        scored, row = run.scored[place], run.library.rows[place]
        return cls(
            row=row.number,
            rank=run.ranks[place],
            smiles=scored.smiles,
            cells=[shortened(cell) for cell in row.cells],
            probability=scored.probability,
            value=scored.value,
            low=scored.low,
            high=scored.high,
            deviation=scored.deviation,
            similarity=scored.similarity,
            in_support=scored.in_support,
            seen=scored.seen,
            status=scored.status,
            reason=scored.reason,
        )


class Compounds(Message):
    """Some rows of a ranking."""

    n_shown: int
    """Rows in this view, on all of its pages."""
    compounds: list[Compound]


def shortened(text: str) -> str:
    """The text, or its start where it is very long."""
    return text if len(text) <= LONGEST_CELL else text[:LONGEST_CELL] + "…"
