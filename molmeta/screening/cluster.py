"""A library of any size through a TargetModel on many machines, by Ray Data.

Ray reads the library in blocks, gives them to actors that hold the adapted model, and writes what
they make of them as a folder of files. Each row comes out as on one machine, in order and with the
same appended columns. An actor scores in a process of its own, so that a molecule that ends it or
hangs costs its row alone; an actor that is lost with its machine is Ray's to replace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from molmeta.assays.readers.columns import SMILES_COLUMNS, known_column, named_column
from molmeta.errors import InputError
from molmeta.screening.columns import NUMERIC, appended_cells, appended_columns
from molmeta.screening.library import CHUNK
from molmeta.screening.pool import TIMEOUT
from molmeta.screening.workers import Workers
from molmeta.target import TargetModel

if TYPE_CHECKING:
    from ray.data import Dataset

_SOURCE: Final = "the data set"


def read_csv(paths: str | Sequence[str]) -> Dataset:
    """CSV files of one header, or folders of them, with each cell as the text that it is.

    Ray's own `read_csv` would make numbers of ids such as 007; its `read_parquet` leaves columns as
    they are. A row with a cell too many or too few stops the run.
    """
    import ray
    from pyarrow import csv, string

    columns = ray.data.read_csv(paths).schema().names
    as_text = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, string()), strings_can_be_null=False
    )
    return ray.data.read_csv(paths, convert_options=as_text)


def score_dataset(
    dataset: Dataset,
    target: TargetModel,
    *,
    actors: int,
    smiles_column: str | None = None,
    timeout: float = TIMEOUT,
) -> Dataset:
    """`dataset` with the appended columns; nothing is computed before it is read or written.

    Args:
        dataset: a row a molecule; its columns stay as they are.
        target: on the CPU.
        actors: how many share the work, each with a core of its own.
        smiles_column: where the molecules are; without it, a column with a usual name.
        timeout: seconds that a row alone may take.

    Raises:
        InputError: there is no such column.
    """
    from ray.data import ActorPoolStrategy

    columns = tuple(dataset.schema().names)
    place = (
        known_column(columns, SMILES_COLUMNS, _SOURCE)
        if smiles_column is None
        else named_column(columns, smiles_column, _SOURCE)
    )
    if place is None:
        raise InputError(
            f"{_SOURCE} has no column called 'smiles'; say which one holds the molecules"
        )
    dataset.context.execution_options.preserve_order = True
    return dataset.map_batches(
        _Actor,
        fn_constructor_args=(target, columns, place, timeout),
        compute=ActorPoolStrategy(size=actors),
        num_cpus=1,
        batch_size=CHUNK,
        batch_format="pyarrow",
    )


class _Actor:
    """The adapted model on one core of the cluster."""

    def __init__(
        self, target: TargetModel, columns: Sequence[str], place: int, timeout: float
    ) -> None:
        self._values = target.predicts_values
        self._names = appended_columns(columns, ranked=False, values=self._values)
        self._place = place
        self._workers = Workers(target, 1, timeout=timeout).__enter__()

    def __call__(self, batch: Any) -> Any:
        """The rows [n] of a pyarrow.Table with the appended columns."""
        import pyarrow

        texts = ["" if text is None else str(text) for text in batch[self._place].to_pylist()]
        (rows,) = self._workers.score_chunks([texts])
        columns = zip(*(appended_cells(row, values=self._values) for row in rows), strict=True)
        for (name, free), cells in zip(self._names.items(), columns, strict=True):
            values = [float(cell) if cell else None for cell in cells] if name in NUMERIC else cells
            kind = pyarrow.float64() if name in NUMERIC else pyarrow.string()
            batch = batch.append_column(free, pyarrow.array(values, kind))
        return batch
