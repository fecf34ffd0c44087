"""What a report is made from and with, so that its reader can find it again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from molmeta.screening.provenance import origin
from molmeta.target import TargetModel


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """Names and files that only the caller knows."""

    title: str
    """What the target is called."""
    command: str = ""
    """That makes the page again; '' where it was made in Python."""
    model: str = ""
    """Name of the model's file."""
    files: Mapping[str, Path | str] = field(default_factory=dict)
    """What it is -> a file that was read; its hash goes onto the page."""


def provenance(target: TargetModel, made_from: MadeFrom, seed: int) -> list[tuple[str, str]]:
    """What the page was made with, by name."""
    made = origin(target)
    trained = target.checkpoint.provenance
    memory = "used" if made["model_memory"] else "not used, or the model has none"
    facts = {
        "command": made_from.command or "made in Python",
        "model": f"{made_from.model} ({made['model_method']})",
        "model sha256": made["model_sha256"],
        "compound memory": memory,
        "trained on": trained.data,
        "licence of that data, and of the weights": trained.licence,
        "sha256 of that data": ", ".join(trained.data_sha256),
        "trained": f"{trained.created}, {trained.steps:,} steps, seed {trained.seed}, "
        f"molmeta {trained.code_version}",
        "support sha256, as it was used": made["support_sha256"],
    }
    for role, path in made_from.files.items():
        facts[f"{role} file"] = Path(path).name if path != "-" else "stdin"
        facts[f"{role} sha256"] = _sha256(path)
    facts["seed of the splits"] = str(seed)
    facts["versions"] = (
        f"molmeta {made['molmeta']}, torch {made['torch']}, RDKit {made['rdkit']}, "
        f"Python {platform.python_version()}, on {made['device']}"
    )
    return [(name, value) for name, value in facts.items() if value]


def _sha256(path: Path | str) -> str:
    """Of a file; '' of what cannot be read again, such as stdin."""
    if path == "-" or not Path(path).is_file():
        return ""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
