"""`log.jsonl` of a run: what the outer loop measured, a JSON object a line, each with its step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from molmeta.errors import OutputError
from molmeta.training.tensorboard import Events

NAME = "log.jsonl"


class RunLog:
    """The log in a run's folder, which a resumed run continues without a gap or a repetition."""

    def __init__(self, folder: Path, step: int, name: str = NAME) -> None:
        """Keep the lines up to `step`: those after it will be written again.

        Raises:
            OutputError: the folder cannot be written.
        """
        self._path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            kept = list(_lines_up_to(self._path, step)) if self._path.exists() else []
            shortened = self._path.with_name(f".{name}.tmp")
            shortened.write_text("".join(kept), encoding="utf-8")
            shortened.replace(self._path)
        except OSError as error:
            raise OutputError(
                f"The run folder {folder} cannot be written: {error.strerror}."
            ) from error
        self._events = Events(folder / "tensorboard" / self._path.stem, step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a line.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._events.write(step, values)


def _lines_up_to(path: Path, step: int) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # cut off by a kill
            continue
        if entry["step"] <= step:
            yield line
