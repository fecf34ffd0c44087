"""The results of a benchmark as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from molmeta.errors import ConfigError, OutputError
from molmeta.evaluation.benchmark import BASELINES
from molmeta.evaluation.comparison import TaskMeans
from molmeta.evaluation.saved_results import (
    SavedResults,
    read_published,
    read_results,
    read_strata,
)


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
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401 (both asked for before there is anything to lose)
    except ImportError as error:
        raise ConfigError("A report needs more: pip install 'molmeta[report]'.") from error
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
    from jinja2 import Environment, StrictUndefined

    from molmeta.evaluation import report_sections as sections

    baselines = [name for name in results.summaries if name in BASELINES]
    shared = results.assays & {a for by in published.values() for of in by.values() for a in of}
    if shared:
        published = _restricted(published, shared)
    # Names of methods and assays are a user's: whatever is not a drawing of ours is escaped.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "figure": _figure,
        "signed": _signed,
        "p_value": _p_value,
        "counted": _counted,
        "plain": lambda value: (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        ),
    }
    template = files("molmeta.evaluation").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        about=results.about,
        measure=sections.measure_of(results.metrics[0]),
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


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}".replace("-", "−")


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def _p_value(value: float) -> str:
    if math.isnan(value):
        return "p not defined"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
