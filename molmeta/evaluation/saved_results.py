"""What a benchmark left in its folder, as numbers a method, a support size and a task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from molmeta.errors import InputError
from molmeta.evaluation.comparison import TaskMeans
from molmeta.evaluation.metrics import N_CALIBRATION_BINS
from molmeta.evaluation.plots import Reliability
from molmeta.evaluation.protocol import Summary

if TYPE_CHECKING:
    import pyarrow as pa

# The metrics for which methods published their result on each task, and the column they are in.
PUBLISHED_COLUMNS: Final = {"delta_auprc": "delta_auprc_mean", "r2": "r2_os_mean"}


@dataclass(frozen=True, slots=True)
class SavedResults:
    """The contents of a folder that `write_results` wrote."""

    about: dict[str, Any]
    """How the results were made."""
    summaries: dict[str, dict[str, dict[int, Summary]]]
    """Method -> metric -> support size, as in `summary.json`."""
    assays: frozenset[str]
    """All that were drawn from, also those without a defined result."""
    task_means: TaskMeans
    """Of the first metric."""
    reliability: dict[str, dict[int, Reliability]]
    """Method -> support size; empty where no predictions were kept."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """In the order of `summary.json`; figures show the first."""
        return tuple(next(iter(self.summaries.values())))

    @property
    def support_sizes(self) -> tuple[int, ...]:
        """Ascending."""
        first = self.metrics[0]
        return tuple(sorted({size for by in self.summaries.values() for size in by[first]}))


def read_results(folder: Path) -> SavedResults:
    """The results in `folder`.

    Raises:
        InputError: `summary.json` or `draws.parquet` is missing or not what a benchmark wrote.
    """
    with _readable(folder / "summary.json"):
        about = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        summaries = {
            method: {
                metric: {int(size): _summary(cell) for size, cell in by_size.items()}
                for metric, by_size in by_metric.items()
            }
            for method, by_metric in about.pop("results").items()
        }
        if not any(by_metric for by_metric in summaries.values()):
            raise KeyError("results")
    metric = next(iter(next(iter(summaries.values()))))
    return SavedResults(
        about=about,
        summaries=summaries,
        assays=_assays(folder / "draws.parquet"),
        task_means=_task_means(folder / "draws.parquet", "assay_id", metric),
        reliability=_reliability(folder / "predictions.parquet"),
    )


def read_published(path: Path, metric: str) -> TaskMeans:
    """Published means a task, from a table with method, task, support_size and the metric's mean.

    Raises:
        InputError: it cannot be read, or has no column for `metric`.
    """
    column = PUBLISHED_COLUMNS.get(metric)
    if column is None:
        raise InputError(f"{path} cannot be compared with: nobody published {metric} of each task.")
    return _task_means(path, "task", column)


def read_strata(path: Path) -> dict[str, str]:
    """The stratum of each assay, from a table with assay_id and stratum.

    Raises:
        InputError: it cannot be read, or lacks one of the columns.
    """
    rows = _table(path, ["assay_id", "stratum"]).to_pylist()
    return {str(row["assay_id"]): str(row["stratum"]) for row in rows}


def _assays(path: Path) -> frozenset[str]:
    import pyarrow.compute as pc

    return frozenset(map(str, pc.unique(_table(path, ["assay_id"])["assay_id"]).to_pylist()))


def _task_means(path: Path, task: str, value: str) -> TaskMeans:
    import pyarrow.compute as pc

    means: dict[str, dict[int, dict[str, float]]] = {}
    keys = ["method", "support_size", task]
    table = _table(path, [*keys, value])
    with _readable(path):
        # The mean over those draws that have a value, as in the summary.
        table = table.filter(pc.is_finite(pc.field(value)))
        rows = table.group_by(keys, use_threads=False).aggregate([(value, "mean")]).to_pylist()
        for row in rows:
            by_size = means.setdefault(row["method"], {})
            by_size.setdefault(int(row["support_size"]), {})[str(row[task])] = row[f"{value}_mean"]
    return means


def _reliability(path: Path) -> dict[str, dict[int, Reliability]]:
    import pyarrow.parquet as pq

    if not path.exists():
        return {}
    sums: dict[tuple[str, int], np.ndarray[Any, np.dtype[np.float64]]] = {}
    columns = ["method", "support_size", "label", "probability"]
    with _readable(path), pq.ParquetFile(path) as file:
        if "probability" not in file.schema_arrow.names:
            return {}
        # In parts: every draw of every task is more than fits in memory twice.
        for part in file.iter_batches(columns=columns):
            methods = part.column("method").dictionary_encode()
            sizes, labels, probabilities = (
                part.column(name).to_numpy(zero_copy_only=False) for name in columns[1:]
            )
            codes = methods.indices.to_numpy()
            bins = np.clip(np.nan_to_num(probabilities) * N_CALIBRATION_BINS, 0, None).astype(int)
            bins = np.minimum(bins, N_CALIBRATION_BINS - 1)
            for code, size in {*zip(codes.tolist(), sizes.tolist(), strict=True)}:
                here = (codes == code) & (sizes == size) & np.isfinite(probabilities + labels)
                weights = np.ones(here.sum()), probabilities[here], labels[here]
                total = sums.setdefault(
                    (methods.dictionary[code].as_py(), int(size)), np.zeros((3, N_CALIBRATION_BINS))
                )
                total += [np.bincount(bins[here], w, N_CALIBRATION_BINS) for w in weights]
    reliability: dict[str, dict[int, Reliability]] = {}
    for (method, size), (counts, probability, actives) in sorted(sums.items()):
        if not counts.any():
            continue
        with np.errstate(invalid="ignore"):
            reliability.setdefault(method, {})[size] = Reliability(
                size, counts, probability / counts, actives / counts
            )
    return reliability


def _summary(cell: Mapping[str, Any]) -> Summary:
    mean, error = (
        float("nan") if cell[name] is None else float(cell[name])
        for name in ("mean", "standard_error")
    )
    return Summary(mean, error, int(cell["n_tasks"]), int(cell["n_undefined"]))


def _table(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow.parquet as pq

    with _readable(path):
        present = pq.read_schema(path).names
    if missing := [name for name in columns if name not in present]:
        raise InputError(f"{path} has no column {missing[0]}; it needs {', '.join(columns)}.")
    with _readable(path):
        return pq.read_table(path, columns=columns)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong in reading `path`, as one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"There is no {path}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        # ValueError: also JSON that is none and Parquet that is none.
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise InputError(f"{path} is not what a benchmark writes or reads ({reason}).") from error
