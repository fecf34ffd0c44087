"""Where scores come from: what decides them, and the account of a run that lies beside its output.

The account names files without their folders and holds no time, so that equal runs give equal
bytes.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any, Final

import rdkit
import torch

from molmeta import __version__
from molmeta.assays.task import MeasuredMolecules
from molmeta.errors import OutputError
from molmeta.learners.registry import LEARNERS
from molmeta.screening.library import ScreenSummary
from molmeta.target import TargetModel

_LONGEST_NAME: Final = 255
"""Bytes of a file's name that all usual file systems take."""


def origin(target: TargetModel) -> dict[str, Any]:
    """All that decides a score: model, support, device and versions."""
    checkpoint = target.checkpoint
    kinds = {kind: name for name, kind in LEARNERS.items()}
    return {
        "molmeta": __version__,
        "torch": str(torch.__version__),
        "rdkit": rdkit.__version__,
        "model_sha256": checkpoint.sha256,
        "model_method": kinds[type(checkpoint.learner)],
        "model_memory": checkpoint.learner.memory is not None,
        "trained_on": asdict(checkpoint.provenance),
        "support_sha256": _support_sha256(target),
        "n_support": len(target.support),
        "n_support_active": target.n_active,
        "n_support_bounds": target.n_bounds,
        "n_support_seen": target.n_support_seen,
        "predicts": "values" if target.predicts_values else "classes",
        "device": target.support.molecules.device.type,
    }


def account(
    target: TargetModel, summary: ScreenSummary, *, source: str | None, top: int | None
) -> str:
    """What a run did and where its scores come from, as JSON.

    Args:
        target: who scored.
        summary: of the rows.
        source: the file they come from, `-` for stdin; None where they were given by hand.
        top: how many of the best were asked for; None for all rows.
    """
    document = {
        "input": source and PurePath(source).name,
        "top": top,
        "n_rows": summary.n_rows,
        "n_failed": summary.n_failed,
        "n_in_support": summary.n_in_support,
        "n_seen": summary.n_seen,
        "by_status": dict(sorted(summary.by_status.items())),
        **origin(target),
    }
    return json.dumps(document, indent=2) + "\n"


def account_path(output: Path) -> Path:
    """Where the account of `output` lies: beside it, `.json` after its name."""
    room = _LONGEST_NAME - len(".json")
    name = os.fsencode(output.name)[:room].decode(errors="ignore")
    return output.with_name(f"{name}.json")


def check_account_path(path: Path) -> None:
    """Pass if nothing or an earlier account is at `path`: one may be left there by a killed run.

    Raises:
        OutputError: something else is there.
    """
    try:
        is_ours = not path.exists() or "model_sha256" in json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise OutputError(
            f"{path}, where the account of the output goes, is another file; name another output, "
            "or put the account elsewhere with --summary"
        )


def _support_sha256(target: TargetModel) -> str:
    support = target.support
    measured = (
        [support.values.tolist(), support.relations.tolist()]
        if isinstance(support, MeasuredMolecules)
        else support.labels.tolist()
    )
    text = json.dumps([target.checkpoint.support_smiles, measured])
    return hashlib.sha256(text.encode()).hexdigest()
