"""Results of a protocol as files and as tables: every draw in Parquet, the means in JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from molmeta.assays.store import AssayStore
from molmeta.errors import OutputError
from molmeta.evaluation.comparison import ComparedMethods
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.predictions import write_predictions
from molmeta.evaluation.protocol import DrawResult, Summary, pool, summarize

Results = Mapping[str, Sequence[DrawResult]]
"""Of each method, by its name."""

POOLED: Final = {"pooled_brier": "brier", "pooled_calibration_error": "calibration_error"}
"""What is also computed over all query molecules together, and the metric that it is."""


def write_results(
    folder: Path,
    results: Results,
    about: Mapping[str, Any],
    *,
    strata: Mapping[str, str] | None = None,
    comparisons: Sequence[ComparedMethods] = (),
    predictions_of: AssayStore | None = None,
) -> None:
    """Write `draws.parquet` (a row a draw), `summary.json` and what else there is into `folder`.

    Files of an earlier run that this one does not write are removed, so that all are of one run.

    Args:
        folder: made where it is missing.
        results: of each method, by its name.
        about: how they were made; goes into the summary as it is.
        strata: stratum of each assay, for `strata.parquet`.
        comparisons: between methods, for `comparison.parquet`.
        predictions_of: the assays, if every prediction is to be kept in `predictions.parquet`.

    Raises:
        OutputError: the folder cannot be written.
    """
    draws = [{"method": name, **_flat(draw)} for name, draws in results.items() for draw in draws]
    summary = json.dumps({**about, "results": summary_of(results)}, indent=2) + "\n"
    files: dict[str, Callable[[Path], object] | None] = {
        "draws.parquet": lambda path: _write_rows(path, draws),
        "summary.json": lambda path: path.write_text(summary, encoding="utf-8"),
        "strata.parquet": None,
        "comparison.parquet": None,
        "predictions.parquet": None,
    }
    if strata:
        of_assays = [{"assay_id": assay, "stratum": name} for assay, name in strata.items()]
        files["strata.parquet"] = lambda path: _write_rows(path, of_assays)
    if comparisons:
        compared = [_flat_comparison(one) for one in comparisons]
        files["comparison.parquet"] = lambda path: _write_rows(path, compared)
    if predictions_of is not None:
        store = predictions_of
        files["predictions.parquet"] = lambda path: write_predictions(path, results, store)
    make_folder(folder)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".molmeta-") as place:
            for name, write in files.items():
                if write is not None:
                    write(Path(place) / name)
            for name, write in files.items():
                if write is None:
                    (folder / name).unlink(missing_ok=True)
                else:
                    (Path(place) / name).replace(folder / name)
    except OSError as error:
        raise OutputError(f"The results cannot be written to {folder}: {error}.") from error


def make_folder(folder: Path) -> None:
    """Make `folder` where it is missing; before a long run, so that it is not run for nothing.

    Raises:
        OutputError: it cannot be made, or nothing can be written into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(f"The results cannot be written to {folder}: {error}.") from error


def summary_of(
    results: Results,
) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """Method -> metric -> support size -> mean, standard error and counts; NaN becomes None.

    A metric in POOLED has one value over all tasks, and so no standard error.
    """
    by_method = {}
    for name, draws in results.items():
        metrics = draws[0].metrics if draws else METRICS
        summaries = {metric: summarize(draws, metric) for metric in metrics}
        summaries |= {pooled: pool(draws, metric) for pooled, metric in POOLED.items()}
        by_method[name] = {
            metric: {str(size): _json_summary(one) for size, one in by_size.items()}
            for metric, by_size in summaries.items()
            if by_size
        }
    return by_method


def table_of(
    results: Results, metric: str = "delta_auprc", assays: Collection[str] | None = None
) -> str:
    """A text table: a line a method, a column a support size, `mean ± standard error (tasks)`.

    Args:
        results: of each method, by its name.
        metric: a name in METRICS, VALUE_METRICS or POOLED.
        assays: the only ones to count; all if None.
    """
    average = pool if metric in POOLED else summarize
    of = POOLED.get(metric, metric)
    summaries = {
        name: average([d for d in draws if assays is None or d.assay_id in assays], of)
        for name, draws in results.items()
    }
    sizes = sorted({size for summary in summaries.values() for size in summary})
    lines = [["support size", *map(str, sizes)]]
    for name, summary in summaries.items():
        lines.append([name, *(_cell(summary[s]) if s in summary else "-" for s in sizes)])
    undefined = sum(one.n_undefined for summary in summaries.values() for one in summary.values())
    note = f"\nDraws without a defined value, left out: {undefined}." if undefined else ""
    return _aligned(lines) + note


def table_of_comparisons(comparisons: Sequence[ComparedMethods]) -> str:
    """A text table: a line a pair, a column a support size, `difference ± standard error, p`."""
    sizes = sorted({one.support_size for one in comparisons})
    by_pair: dict[tuple[str, str], dict[int, str]] = {}
    for one in comparisons:
        found = one.comparison
        error = "" if math.isnan(found.standard_error) else f" ± {found.standard_error:.3f}"
        cell = f"{found.difference:+.3f}{error}, {_p_value(found.p_value)} ({found.n_tasks})"
        by_pair.setdefault((one.method, one.other), {})[one.support_size] = cell
    lines = [["method", "minus", *map(str, sizes)]]
    for (method, other), cells in by_pair.items():
        lines.append([method, other, *(cells.get(size, "-") for size in sizes)])
    return _aligned(lines)


def _cell(summary: Summary) -> str:
    error = "" if math.isnan(summary.standard_error) else f" ± {summary.standard_error:.3f}"
    return f"{summary.mean:.3f}{error} ({summary.n_tasks})"


def _p_value(value: float) -> str:
    if math.isnan(value):
        return "no difference"
    return "p < .001" if value < 0.001 else f"p = {value:.3f}".replace("0.", ".")


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _flat(draw: DrawResult) -> dict[str, Any]:
    names = ("assay_id", "support_size", "run", "n_query", "share_active")
    return {**{name: getattr(draw, name) for name in names}, **draw.metrics}


def _flat_comparison(one: ComparedMethods) -> dict[str, Any]:
    pair = {"method": one.method, "other": one.other, "support_size": one.support_size}
    return {**pair, **dataclasses.asdict(one.comparison)}


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)


def _json_summary(summary: Summary) -> dict[str, float | None]:
    # JSON has no NaN.
    return {
        name: None if math.isnan(value) else value
        for name, value in dataclasses.asdict(summary).items()
    }
