"""Results of a protocol as files and as a table: every draw in Parquet, the means in JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molmeta.errors import OutputError
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.protocol import DrawResult, Summary, summarize


def write_results(
    folder: Path, results: Mapping[str, Sequence[DrawResult]], about: Mapping[str, Any]
) -> None:
    """Write `draws.parquet` (a row a draw) and `summary.json` into `folder`.

    Args:
        folder: made where it is missing.
        results: of each method, by its name.
        about: how they were made; goes into the summary as it is.

    Raises:
        OutputError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"method": name, **_flat(draw)} for name, draws in results.items() for draw in draws]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / ".draws.parquet.tmp"
        pq.write_table(pa.Table.from_pylist(rows), temporary)
        temporary.replace(folder / "draws.parquet")
        temporary = folder / ".summary.json.tmp"
        temporary.write_text(
            json.dumps({**about, "results": summary_of(results)}, indent=2) + "\n",
            encoding="utf-8",
        )
        os.replace(temporary, folder / "summary.json")
    except OSError as error:
        raise OutputError(f"The results cannot be written to {folder}: {error}.") from error


def summary_of(
    results: Mapping[str, Sequence[DrawResult]],
) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """Method -> metric -> support size -> mean, standard error and counts; NaN becomes None."""
    return {
        name: {
            metric: {
                str(size): {k: _json_number(v) for k, v in dataclasses.asdict(summary).items()}
                for size, summary in summarize(draws, metric).items()
            }
            for metric in METRICS
        }
        for name, draws in results.items()
    }


def table_of(results: Mapping[str, Sequence[DrawResult]], metric: str = "delta_auprc") -> str:
    """A text table: a line a method, a column a support size, `mean ± standard error (tasks)`."""
    summaries = {name: summarize(draws, metric) for name, draws in results.items()}
    sizes = sorted({size for summary in summaries.values() for size in summary})
    lines = [["support size", *map(str, sizes)]]
    for name, summary in summaries.items():
        cells = [_cell(summary[size]) if size in summary else "-" for size in sizes]
        lines.append([name, *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(summary: Summary) -> str:
    return f"{summary.mean:.3f} ± {summary.standard_error:.3f} ({summary.n_tasks})"


def _flat(draw: DrawResult) -> dict[str, Any]:
    row = dataclasses.asdict(draw)
    return {**{k: v for k, v in row.items() if k != "metrics"}, **row["metrics"]}


def _json_number(value: float) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else value
