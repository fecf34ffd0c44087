"""A target's predictions as one HTML page that needs nothing beside itself.

library = read_library(target, rows, columns=..., smiles_column=...)
write_report(path, target, library, support=support, made_from=made_from)
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

from molmeta.assays.labels import LOG_UNIT
from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.outputs import write_whole
from molmeta.assays.support import SupportSet
from molmeta.errors import SupportError
from molmeta.evaluation.web_page import ask_for_page_libraries, render
from molmeta.report.data import data_document
from molmeta.report.held_out import HeldOut, hold_out
from molmeta.report.library import Library
from molmeta.report.made_from import MadeFrom, provenance
from molmeta.report.verdict import believed
from molmeta.target import TargetModel

EXPLAINED: Final = 12
"""Compounds of a page whose scores are taken apart, the best first."""


def write_report(
    path: Path | str,
    target: TargetModel,
    library: Library,
    *,
    made_from: MadeFrom,
    support: SupportSet | MeasuredSupport | None = None,
    notes: Sequence[str] = (),
    overwrite: bool = False,
    seed: int = 0,
    today: date | None = None,
) -> None:
    """Write the page about what a target's model says of a library, whole or not at all.

    Args:
        path: the page.
        target: the adapted model.
        library: what it says, from `read_library`.
        made_from: names, files and the command.
        support: the rows that the model was adapted to, as they were read; None for a model that
            was adapted before.
        notes: what was found or assumed when the library was read.
        overwrite: whether an existing file may be replaced.
        seed: of the splits of the support.
        today: the day that the page tells; this one if None.

    Raises:
        ConfigError: matplotlib or Jinja is not installed.
        OutputError: the page cannot be written.
    """
    ask_for_page_libraries()
    from markupsafe import Markup

    from molmeta.explanation.support import MEANING
    from molmeta.report import compounds, figures
    from molmeta.report.held_out_figures import held_out_figures
    from molmeta.report.structures import Drawings

    held_out: HeldOut | None = None
    why_not = ""
    try:
        held_out = hold_out(target, seed=seed)
    except SupportError as error:
        why_not = str(error)
    found = believed(target, held_out, seed=seed)
    quantity = _quantity(target, support)
    drawings = Drawings()
    # Whoever comes first is drawn, should the page not have room for all.
    explained = compounds.explained(target, library, drawings, most=EXPLAINED)
    ranked = compounds.ranked(target, library, drawings)
    script = files("molmeta").joinpath("report/table.js").read_text(encoding="utf-8")
    page = render(
        "report/page.html.jinja",
        filters={"cut": compounds.cut},
        made_from=made_from,
        today=today or date.today(),
        script=Markup(script),
        script_hash=_csp_hash(script),
        target=target,
        quantity=quantity,
        believed=found,
        methods=Markup(figures.methods(found.check)) if found.check else "",
        held_out=held_out_figures(held_out, quantity),
        why_not_held_out=why_not,
        explained=explained,
        meaning=MEANING,
        ranked=ranked,
        supports=compounds.supports(target, drawings, ranked, explained),
        data=data_document(target, support, library),
        notes=notes,
        provenance=provenance(target, made_from, seed),
    )
    write_whole(path, page, overwrite=overwrite, inputs=list(made_from.files.values()))


def _quantity(target: TargetModel, support: SupportSet | MeasuredSupport | None) -> str:
    """What is predicted, in words."""
    if not target.predicts_values:
        return "probability of active" if target.has_both_classes else "similarity to an active"
    unit = support.unit if isinstance(support, MeasuredSupport) else ""
    return unit if unit == LOG_UNIT else f"value ({unit})" if unit else "value"


def _csp_hash(script: str) -> str:
    """What a Content-Security-Policy calls the one script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
