"""The results of a benchmark as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

from molmeta.errors import OutputError
from molmeta.evaluation.benchmark import BASELINES
from molmeta.evaluation.comparison import TaskMeans
from molmeta.evaluation.saved_results import (
    SavedResults,
    read_published,
    read_results,
    read_strata,
)
from molmeta.evaluation.web_page import ask_for_page_libraries, render


def write_html_report(
    path: Path, folder: Path, *, published: Path | None = None, strata: Path | None = None
) -> None:
    """Write the page about the results that `molmeta benchmark --output` left in a folder.

    Args:
        path: the page; one that is there already is replaced.
        folder: with `summary.json`, `draws.parquet` and, for the reliability of probabilities,
            `predictions.parquet`.
        published: Parquet of published results on each task: method, task, support_size and
            delta_auprc_mean, or r2_os_mean for values.
        strata: Parquet with the stratum of each assay, assay_id and stratum; if None, the
            `strata.parquet` of the results, if there is one.

    Raises:
        InputError: one of the files is missing or is something else.
        ConfigError: matplotlib or Jinja is not installed.
        OutputError: the page cannot be written.
    """
    ask_for_page_libraries()
    results = read_results(folder)
    theirs = read_published(published, results.metrics[0]) if published else {}
    if strata is None and (folder / "strata.parquet").exists():
        strata = folder / "strata.parquet"
    page = _page(results, theirs, read_strata(strata) if strata else {})
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".molmeta-") as place:
            unfinished = Path(place) / path.name
            unfinished.write_text(page, encoding="utf-8")
            unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"The report cannot be written to {path}: {error.strerror}.") from error


def _page(results: SavedResults, published: TaskMeans, strata: Mapping[str, str]) -> str:
    from molmeta.evaluation import report_sections as sections
    from molmeta.evaluation.measures import measure_of

    baselines = [name for name in results.summaries if name in BASELINES]
    shared = results.assays & {a for by in published.values() for of in by.values() for a in of}
    if shared:
        published = _restricted(published, shared)
    return render(
        "evaluation/report.html.jinja",
        filters={"p_value": _p_value, "plain": _plain},
        about=results.about,
        measure=measure_of(results.metrics[0]),
        sizes=results.support_sizes,
        n_assays=len(results.assays),
        keys=sections.keys(results.summaries),
        tables=[sections.table(results, metric) for metric in results.metrics],
        curves=sections.curves(results, published),
        published={"n_methods": len(published), "n_shared": len(shared)},
        reliability=sections.reliability(results),
        scatter=sections.scatter(results, baselines, strata),
        strata=sections.by_stratum(results, strata) if strata else None,
        comparisons=sections.comparisons(results, baselines, published if shared else {}),
    )


def _restricted(means: TaskMeans, assays: frozenset[str]) -> TaskMeans:
    return {
        method: {
            size: {assay: mean for assay, mean in of.items() if assay in assays}
            for size, of in by_size.items()
            if of.keys() & assays
        }
        for method, by_size in means.items()
    }


def _p_value(value: float) -> str:
    if math.isnan(value):
        return "p not defined"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
