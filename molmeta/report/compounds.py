"""The compounds of a report: ranked, the best ones explained, and those they are compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from molmeta.assays.task import MeasuredMolecules
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.explanation.explain import Explanation, explain
from molmeta.report.library import Library, LibraryRow, changes_of
from molmeta.report.structures import Drawings, is_drawable
from molmeta.scores import DOMAIN_SIMILARITY, UNSURE, ScoredRow
from molmeta.target import TargetModel

Section = dict[str, Any]
"""By the names that the template uses."""

LONGEST_CELL: Final = 80
"""Characters of a user's cell on the page; the tables beside it hold all."""

LONGEST_SMILES: Final = 200
"""The same of a structure, which is drawn beside it."""

MAX_CELLS: Final = 4
"""Of the library's own columns, beside the name and the molecule."""

MAX_SHARES: Final = 4
"""Support compounds shown for each explained one."""


def ranked(target: TargetModel, library: Library, drawings: Drawings) -> list[Section]:
    """The rows of the ranked table, best first."""
    nearest = _nearest(target, library.best)
    ends = [_interval(one.scored) for one in library.best]
    low = min((end[0] for end in ends), default=0.0) if target.predicts_values else 0.0
    high = max((end[1] for end in ends), default=1.0) if target.predicts_values else 1.0
    width = (high - low) or 1.0
    repeats = library.repeats
    rows = []
    for rank, (one, interval, place) in enumerate(
        zip(library.best, ends, nearest, strict=True), start=1
    ):
        scored = one.scored
        smiles = str(scored.smiles)
        answer = _answer(scored)
        rows.append(
            {
                "rank": rank,
                **_named(one, library),
                "svg": drawings.of(smiles),
                "answer": answer,
                "interval": interval,
                "bar": [100 * (x - low) / width for x in (interval[0], answer, interval[1])],
                "similarity": scored.similarity,
                "nearest": place,
                "flags": _flags(scored),
                "changes": changes_of(scored),
                "again": [n for n in repeats.get(smiles, []) if n != one.row.number],
            }
        )
    return rows


def explained(
    target: TargetModel, library: Library, drawings: Drawings, *, most: int
) -> list[Section]:
    """What the scores of the best compounds are made of; support compounds need no prediction."""
    chosen = [
        (rank, one)
        for rank, one in enumerate(library.best, start=1)
        if not one.scored.in_support and is_drawable(str(one.scored.smiles))
    ][:most]
    explanations = explain(target, [one.scored.smiles for _, one in chosen])
    return [
        {
            "rank": rank,
            **_named(one, library),
            "svg": drawings.taken(explanation.svg()),
            "answer": _answer(one.scored),
            "interval": _interval(one.scored),
            **_shares(explanation),
        }
        for (rank, one), explanation in zip(chosen, explanations, strict=True)
    ]


def supports(
    target: TargetModel,
    drawings: Drawings,
    rows: Sequence[Section],
    explanations: Sequence[Section],
) -> dict[int, Section]:
    """The support compounds that the page speaks of, by place: each is drawn once."""
    places = {row["nearest"] for row in rows}
    places |= {one.place for section in explanations for one in section["shares"]}
    smiles, support = target.checkpoint.support_smiles, target.support
    if isinstance(support, MeasuredMolecules):
        marks = support.relations.tolist()
        labels = [
            f"{('', '> ', '< ')[mark]}{value:.2f}"
            for mark, value in zip(marks, support.values.tolist(), strict=True)
        ]
    else:
        labels = ["active" if label else "inactive" for label in support.labels.tolist()]
    return {
        place: {"smiles": smiles[place], "label": labels[place], "svg": drawings.of(smiles[place])}
        for place in sorted(places)
    }


def _named(one: LibraryRow, library: Library) -> Section:
    """What a row is called, and the cells that the user put beside the molecule."""
    cells = [
        (cut(column), cut(cell))
        for column, cell in zip(library.columns, one.row.cells, strict=True)
        if column != library.smiles_column and cell.strip()
    ][: MAX_CELLS + 1]
    name = cells[0][1] if cells else f"row {one.row.number}"
    return {
        "name": name,
        "cells": cells[1:],
        "number": one.row.number,
        "smiles": cut(str(one.scored.smiles), LONGEST_SMILES),
    }


def _flags(scored: ScoredRow) -> list[tuple[str, str]]:
    flags = []
    if scored.similarity is not None and scored.similarity < DOMAIN_SIMILARITY:
        flags.append(("far", "unlike your compounds"))
    if scored.probability is not None and UNSURE[0] < scored.probability < UNSURE[1]:
        flags.append(("unsure", "near a coin toss"))
    if scored.in_support:
        flags.append(("own", "in your support"))
    if scored.seen:
        flags.append(("known", "known compound"))
    return flags


def _answer(scored: ScoredRow) -> float:
    answer = scored.value if scored.value is not None else scored.probability
    answer = scored.similarity if answer is None else answer
    assert answer is not None
    return answer


def _interval(scored: ScoredRow) -> tuple[float, float]:
    """Of a value or a probability; where there is none, the answer itself."""
    if scored.low is not None and scored.high is not None:
        return scored.low, scored.high
    answer = _answer(scored)
    return answer, answer


def _nearest(target: TargetModel, rows: Sequence[LibraryRow]) -> list[int]:
    """Place of the support compound that is nearest to each row: [n]."""
    if not rows:
        return []
    molecules = [read_smiles(one.scored.smiles) for one in rows]
    batch = featurize([one for one in molecules if isinstance(one, Molecule)])
    device = target.support.molecules.device
    places: list[int] = tanimoto(target.support.molecules, batch.to(device)).argmax(0).tolist()
    return places


def _shares(explanation: Explanation) -> Section:
    """The parts of a score, and how long their bars are: 50 for the longest."""
    told = [one for one in explanation.support if math.isfinite(one.share) and one.share]
    shown, rest = told[:MAX_SHARES], told[MAX_SHARES:]
    parts = dict(explanation.base)
    if parts and rest:
        parts[f"{len(rest)} other support compounds"] = sum(one.share for one in rest)
    longest = max((abs(x) for x in (*parts.values(), *(one.share for one in shown))), default=0.0)
    scale = 50 / longest if longest else 0.0
    return {
        "method": str(explanation.method),
        "shares": shown,
        "parts": parts,
        "total": explanation.total,
        "scale": scale,
    }


def cut(text: str, most: int = LONGEST_CELL) -> str:
    """A user's cell on one line, no longer than the page has room for."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
