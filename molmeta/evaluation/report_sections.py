"""The sections of the HTML report: saved results to drawings and the numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from molmeta.evaluation import plots
from molmeta.evaluation.comparison import Comparison, TaskMeans, compare
from molmeta.evaluation.measures import measure_of
from molmeta.evaluation.plots import Curve
from molmeta.evaluation.protocol import Summary
from molmeta.evaluation.saved_results import SavedResults
from molmeta.evaluation.svg import style_of, swatch

Section = dict[str, Any]
"""By the names that the template uses."""


NO_STRATUM: Final = "not in the list"


def keys(names: Iterable[str]) -> dict[str, Markup]:
    """The swatch of each method, in the order in which the figures give out their styles."""
    return {name: Markup(swatch(style_of(i))) for i, name in enumerate(names)}


def table(results: SavedResults, metric: str) -> Section:
    """Mean ± standard error of every method at every support size, as in `summary.json`."""
    measure = measure_of(metric)
    by_method = {name: of.get(metric, {}) for name, of in results.summaries.items()}
    best = {}
    for size in results.support_sizes:
        means = [of[size].mean for of in by_method.values() if size in of]
        defined = [mean for mean in means if math.isfinite(mean)]
        if measure.has_best and len(means) > 1 and defined:
            best[size] = min(defined) if measure.lower_is_better else max(defined)
    return {
        "measure": measure,
        "rows": by_method,
        "best": best,
        "has_error": any(
            math.isfinite(cell.standard_error) for of in by_method.values() for cell in of.values()
        ),
        "n_undefined": sum(cell.n_undefined for of in by_method.values() for cell in of.values()),
    }


def curves(results: SavedResults, published: TaskMeans) -> Markup:
    """The first metric against support size, with the published curves."""
    metric = results.metrics[0]
    own = [
        Curve(
            name,
            list(of[metric]),
            [cell.mean for cell in of[metric].values()],
            [cell.standard_error for cell in of[metric].values()],
        )
        for name, of in results.summaries.items()
    ]
    others = []
    for name, by_size in published.items():
        cells = [summary_of_tasks(by_size[size]) for size in sorted(by_size)]
        means, errors = [c.mean for c in cells], [c.standard_error for c in cells]
        others.append(Curve(name, sorted(by_size), means, errors))
    label = measure_of(metric).label
    said = "; ".join(
        f"{curve.name}: "
        + ", ".join(f"{m:.3f} at {n}" for n, m in zip(curve.sizes, curve.means, strict=True))
        for curve in own
    )
    behind = f" In grey: {', '.join(curve.name for curve in others)}." if others else ""
    alt = f"Lines of mean {label} against support size. {said}.{behind}"
    return Markup(plots.curves(own, others, f"mean {label} over assays", alt))


def reliability(results: SavedResults) -> list[Section]:
    """A diagram a method, at its smallest and its largest support size."""
    sections = []
    for i, name in enumerate(results.summaries):
        of = results.reliability.get(name, {})
        if not of:
            continue
        parts = [of[size] for size in sorted({min(of), max(of)})]
        errors = {
            part.support_size: float(
                np.nansum(part.counts * abs(part.share_active - part.mean_probability))
                / part.counts.sum()
            )
            for part in parts
        }
        said = ", ".join(f"{error:.3f} at {size}" for size, error in errors.items())
        alt = f"Reliability of {name}: mean gap between probability and share of actives {said}."
        svg = Markup(plots.reliability(parts, style_of(i), alt))
        sections.append({"name": name, "svg": svg, "parts": parts, "errors": errors})
    return sections


def best_baseline(results: SavedResults, baselines: Sequence[str], size: int) -> str | None:
    """The baseline with the highest mean of the first metric."""
    metric = results.metrics[0]
    means = {name: results.summaries[name][metric] for name in baselines}
    defined = {
        name: of[size].mean
        for name, of in means.items()
        if size in of and math.isfinite(of[size].mean)
    }
    return max(defined, key=lambda name: defined[name]) if defined else None


def scatter(
    results: SavedResults, baselines: Sequence[str], strata: Mapping[str, str]
) -> list[Section]:
    """The methods against the best baseline on each task, at the smallest and the largest size."""
    label = measure_of(results.metrics[0]).label
    methods, names = list(results.summaries), strata_of(results, strata)
    sections = []
    for size in sorted({min(results.support_sizes), max(results.support_sizes)}):
        baseline = best_baseline(results, baselines, size)
        if baseline is None:
            continue
        theirs, panels = results.task_means[baseline][size], []
        for method in _judged(results, baselines):
            ours = results.task_means.get(method, {}).get(size, {})
            tasks = sorted(ours.keys() & theirs.keys())
            if method == baseline or not tasks:
                continue
            x, y = (np.array([means[task] for task in tasks]) for means in (theirs, ours))
            better, worse = int((y > x).sum()), int((y < x).sum())
            own = style_of(methods.index(method))
            styles = [
                style_of(names.index(strata.get(task, NO_STRATUM))) if strata else own
                for task in tasks
            ]
            alt = (
                f"{label} of {method} against {baseline} at a support of {size}, a point an assay: "
                f"better on {better} of {len(tasks)}, worse on {worse}."
            )
            svg = Markup(plots.scatter(x, y, styles, label, alt))
            panel = {"method": method, "svg": svg, "n": len(tasks)}
            panels.append({**panel, "better": better, "worse": worse})
        if panels:
            sections.append({"size": size, "baseline": baseline, "panels": panels})
    return sections


def strata_of(results: SavedResults, strata: Mapping[str, str]) -> list[str]:
    """The strata that occur among the measured assays, sorted; the assays without one last."""
    found = {strata.get(assay, NO_STRATUM) for assay in results.assays}
    return sorted(found, key=lambda name: (name == NO_STRATUM, name))


def by_stratum(results: SavedResults, strata: Mapping[str, str]) -> Section:
    """The first metric within each stratum: bars at the smallest support size, all in a table."""
    label = measure_of(results.metrics[0]).label
    groups = {
        name: {assay for assay in results.assays if strata.get(assay, NO_STRATUM) == name}
        for name in strata_of(results, strata)
    }
    rows = {
        stratum: {
            method: {
                size: summary_of_tasks({t: v for t, v in means.items() if t in assays})
                for size, means in results.task_means.get(method, {}).items()
            }
            for method in results.summaries
        }
        for stratum, assays in groups.items()
    }
    size = min(results.support_sizes)
    cells = {
        m: [rows[g][m].get(size) or summary_of_tasks({}) for g in groups] for m in results.summaries
    }
    said = "; ".join(
        f"{group}: " + ", ".join(f"{name} {of[i].mean:.3f}" for name, of in cells.items())
        for i, group in enumerate(groups)
    )
    svg = plots.bars(
        list(groups),
        [len(assays) for assays in groups.values()],
        {name: [cell.mean for cell in of] for name, of in cells.items()},
        {name: [cell.standard_error for cell in of] for name, of in cells.items()},
        f"mean {label} over assays",
        f"Bars of mean {label} by stratum at a support of {size}. {said}.",
    )
    counts = {name: len(assays) for name, assays in groups.items()}
    keys = {name: Markup(swatch(style_of(i), line=False)) for i, name in enumerate(groups)}
    return {"svg": Markup(svg), "size": size, "rows": rows, "counts": counts, "keys": keys}


def comparisons(
    results: SavedResults, baselines: Sequence[str], published: TaskMeans
) -> dict[str, dict[str, dict[int, Comparison]]]:
    """Each method that is no baseline minus every other and every published one, by size."""
    everyone = {
        **results.task_means,
        **{f"{name} (published)": of for name, of in published.items()},
    }
    return {
        method: rows
        for method in _judged(results, baselines)
        if (
            rows := {
                other: paired
                for other, theirs in everyone.items()
                if other != method
                and (paired := _paired(results.task_means.get(method, {}), theirs))
            }
        )
    }


def _paired(
    ours: Mapping[int, Mapping[str, float]], theirs: Mapping[int, Mapping[str, float]]
) -> dict[int, Comparison]:
    return {
        size: compare(ours[size], theirs[size])
        for size in sorted(ours.keys() & theirs.keys())
        if ours[size].keys() & theirs[size].keys()
    }


def summary_of_tasks(means: Mapping[str, float]) -> Summary:
    """Mean and standard error over tasks of what each gave on the mean of its draws."""
    values = np.array(list(means.values()))
    n = len(values)
    return Summary(
        mean=float(values.mean()) if n else math.nan,
        standard_error=float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else math.nan,
        n_tasks=n,
        n_undefined=0,
    )


def _judged(results: SavedResults, baselines: Sequence[str]) -> list[str]:
    """The methods that are no baselines; of a run of baselines alone, all of them."""
    return [name for name in results.summaries if name not in baselines] or list(results.summaries)
