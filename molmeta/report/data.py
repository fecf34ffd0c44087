"""What was done to a user's data, and with what: everything as values of JSON.

A page shows the same content; `molmeta` commands that read a support write it with --data-report.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.outputs import write_whole
from molmeta.assays.support import SupportSet
from molmeta.errors import OutputError
from molmeta.report.library import Library
from molmeta.screening.provenance import origin
from molmeta.target import TargetModel


def data_document(
    target: TargetModel,
    support: SupportSet | MeasuredSupport | None = None,
    library: Library | None = None,
) -> dict[str, Any]:
    """What became of each support row and of a library, and all that decides the scores.

    Args:
        target: the adapted model.
        support: as it was read; None for a model that was adapted before.
        library: as it was scored; None where nothing was.
    """
    return {
        "support": None if support is None else _support(target, support),
        "library": None if library is None else _library(library),
        "made_with": origin(target),
    }


def write_data_report(path: Path, document: dict[str, Any]) -> None:
    """Write what `data_document` tells; an earlier one under this name is replaced.

    Raises:
        OutputError: something else has this name, or it cannot be written.
    """
    if path.exists() and not _is_data_report(path):
        raise OutputError(f"{path} exists and is no data report; name another file")
    text = json.dumps(document, indent=2, ensure_ascii=False)
    write_whole(path, text + "\n", overwrite=True)


def _is_data_report(path: Path) -> bool:
    try:
        return "made_with" in json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def _support(target: TargetModel, support: SupportSet | MeasuredSupport) -> dict[str, Any]:
    bounds = []
    if isinstance(support, MeasuredSupport):
        bounds = [
            {"molecule": molecule.smiles, "value": value, "truth": "above" if sign > 0 else "below"}
            for molecule, value, sign in zip(
                support.molecules, support.values, support.relations, strict=True
            )
            if sign
        ]
    return {
        "n_rows": len(support.rows),
        "n_compounds": len(support),
        "n_compounds_known_to_the_model": target.n_support_seen,
        "by_status": dict(Counter(row.status for row in support.rows).most_common()),
        "notes": list(support.notes),
        "rows": [
            {
                "row": row.number,
                "molecule": row.text,
                "label": row.label_text,
                "status": row.status,
                "reason": row.reason,
            }
            for row in support.rows
        ],
        "unit": support.unit if isinstance(support, MeasuredSupport) else None,
        "bounds": bounds,
    }


def _library(library: Library) -> dict[str, Any]:
    summary = library.summary
    return {
        "n_rows": summary.n_rows,
        "n_without_score": summary.n_failed,
        "n_in_support": summary.n_in_support,
        "n_known_to_the_model": summary.n_seen,
        "by_status": dict(summary.by_status.most_common()),
        "changes": dict(library.changes),
        "without_score": [
            {
                "row": one.row.number,
                "molecule": one.row.smiles,
                "status": one.scored.status,
                "reason": one.scored.reason,
            }
            for one in library.unreadable
        ],
    }
