"""Every prediction of a benchmark as a row of a Parquet file, to judge them anew later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.chem.similarity import tanimoto
from molmeta.evaluation.protocol import DrawResult
from molmeta.learners.base import PairTable

if TYPE_CHECKING:
    import pyarrow as pa


def write_predictions(
    path: Path, results: Mapping[str, Sequence[DrawResult]], store: AssayStore
) -> None:
    """Write a row for each query molecule of each draw of each method.

    Columns: `method`, `assay_id`, `support_size`, `run`, `row` (position in the assay, in file
    order), `similarity` (Tanimoto, to the nearest support compound), and `label`, `logit` and
    `probability`, or for values `log_value`, `relation` (0 measured, 1 the truth is higher, -1 it
    is lower), `mean`, `deviation`, `low` and `high`.

    Args:
        path: of the new file.
        results: of each method, with their predictions.
        store: the assays that they are of.
    """
    import pyarrow.parquet as pq

    schema = _schema(results)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for task in store:
            for table in _tables(task, results, store, schema):
                writer.write_table(table)


def _schema(results: Mapping[str, Sequence[DrawResult]]) -> pa.Schema:
    import pyarrow as pa

    kept = (draw.predictions for draws in results.values() for draw in draws)
    example = next((one.columns() for one in kept if one is not None), {})
    name = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("method", name),
            ("assay_id", name),
            ("support_size", pa.int32()),
            ("run", pa.int32()),
            ("row", pa.int32()),
            *((column, pa.from_numpy_dtype(array.dtype)) for column, array in example.items()),
            ("similarity", pa.float32()),
        ]
    )


def _tables(
    task: Task,
    results: Mapping[str, Sequence[DrawResult]],
    store: AssayStore,
    schema: pa.Schema,
) -> Iterator[pa.Table]:
    """A table a method, of its draws of `task`."""
    import pyarrow as pa

    device = store.molecules.device
    alike = PairTable(store.molecules.gather(task.molecules.to(device))).of(tanimoto).cpu().numpy()
    for method, draws in results.items():
        columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        for draw in draws:
            if draw.assay_id != task.assay_id or draw.predictions is None:
                continue
            kept, n = draw.predictions, draw.n_query
            columns["method"] += [method] * n
            columns["assay_id"] += [task.assay_id] * n
            columns["support_size"].append(np.full(n, draw.support_size))
            columns["run"].append(np.full(n, draw.run))
            columns["row"].append(kept.rows)
            for name, array in kept.columns().items():
                columns[name].append(array)
            columns["similarity"].append(_nearest(alike, kept.rows))
        if columns["row"]:
            names = ("method", "assay_id")
            arrays = {k: v if k in names else np.concatenate(v) for k, v in columns.items()}
            yield pa.table(arrays, schema=schema)


def _nearest(alike: NDArray[np.float32], query: NDArray[np.int32]) -> NDArray[np.float32]:
    support = np.setdiff1d(np.arange(len(alike)), query)
    nearest: NDArray[np.float32] = alike[support][:, query].max(0)
    return nearest
