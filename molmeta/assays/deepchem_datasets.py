"""A DeepChem dataset to assays and back; each column of its labels is an assay.

Only the way back loads DeepChem, which `molmeta[deepchem]` installs.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from molmeta.assays.store import AssayStore, build_store
from molmeta.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

_NEWEST_PYTHON: Final = (3, 11)

Array = NDArray[np.float64]


def tasks_from_deepchem(
    dataset: Any,
    tasks: Sequence[str] | None = None,
    *,
    regression: bool = False,
    workers: int | None = None,
) -> AssayStore:
    """The assays of a DeepChem dataset, featurised; nothing is written.

    Args:
        dataset: any `deepchem.data.Dataset` whose ids are SMILES, as DeepChem's loaders make them.
            A label that is not finite, or whose weight is 0, is missing.
        tasks: names of the columns of `dataset.y`; the dataset's own if None. DeepChem numbers the
            columns of datasets in memory, and names those on disk.
        regression: whether the labels are measured values on a log scale rather than classes. They
            become `log_values`, and those above their column's median count as active: by classes
            a support set is drawn.
        workers: processes that featurise; all cores if None.

    Raises:
        InputError: no label, ids that are no SMILES, names that do not fit, or a class that is
            neither 0 nor 1.
    """
    import pyarrow as pa

    tables = [table for _, table in tables_from_deepchem(dataset, tasks, regression=regression)]
    if not any(table.num_rows for table in tables):
        raise InputError("The dataset has no label: every one is missing, or has weight 0.")
    store = build_store(pa.concat_tables(tables), workers)
    if not store.tasks:
        raise InputError(
            f"None of the {len(dataset)} ids of this DeepChem dataset can be read as a molecule, "
            f"{str(dataset.ids[0])!r} for one. Give it the SMILES: "
            "deepchem.data.NumpyDataset(dataset.X, dataset.y, dataset.w, ids=smiles)."
        )
    return store


def tables_from_deepchem(
    dataset: Any, tasks: Sequence[str] | None = None, *, regression: bool = False
) -> Iterator[tuple[str, pa.Table]]:
    """Each task's name, and a row for each label that it has, in the order of the dataset.

    The columns are `assay_id`, `smiles`, `label` and, under `regression`, `log_value`. Arguments
    and errors are those of `tasks_from_deepchem`; the ids are not looked into here.
    """
    import pyarrow as pa

    labels, weights = labels_and_weights(dataset)
    names = [str(name) for name in (dataset.get_task_names() if tasks is None else tasks)]
    if len(names) != labels.shape[1] or len(set(names)) != len(names):
        raise InputError(
            f"The dataset has {labels.shape[1]} columns of labels, and "
            f"{len(set(names))} different names for them."
        )
    smiles = pa.array([str(text) for text in dataset.ids], pa.large_string())
    for name, column, weight in zip(names, labels.T, weights.T, strict=True):
        rows = np.flatnonzero(np.isfinite(column) & (weight != 0))
        values = column[rows]
        columns = {
            "assay_id": pa.array([name] * len(rows), pa.large_string()),
            "smiles": smiles.take(pa.array(rows)),
        }
        if regression:
            columns["label"] = _floats(values > np.median(values) if len(rows) else values)
            columns["log_value"] = _floats(values)
        else:
            _require_classes(name, values)
            columns["label"] = _floats(values)
        yield name, pa.table(columns)


def deepchem_from_store(store: AssayStore, *, regression: bool = False) -> tuple[list[str], Any]:
    """The names of the tasks, and the assays as one `deepchem.data.NumpyDataset`.

    Its X and ids are the SMILES, its y [n, len(store)] the classes, or the log values under
    `regression`; where an assay has none for a molecule, y and the weight are 0. A molecule has as
    many rows as the assay that holds it most often. DeepChem's featurizers take the ids, and
    `deepchem.data.DiskDataset.from_numpy` takes the names too.

    Raises:
        InputError: the store does not hold its molecules' SMILES.
        ConfigError: DeepChem is not installed.
    """
    if len(store.smiles) != len(store.molecules):
        raise InputError("This store holds no SMILES: open it from Parquet with open_store.")
    repeats = np.zeros(len(store.molecules), dtype=np.int64)
    occurrences = []
    for task in store:
        molecules = task.molecules.numpy()
        occurrences.append(_occurrence(molecules))
        np.maximum.at(repeats, molecules, occurrences[-1] + 1)
    first_row = repeats.cumsum() - repeats
    labels = np.zeros((int(repeats.sum()), len(store)))
    weights = np.zeros_like(labels)
    for column, (task, occurrence) in enumerate(zip(store, occurrences, strict=True)):
        values = (task.log_values if regression else task.labels).numpy().astype(np.float64)
        rows = first_row[task.molecules.numpy()] + occurrence
        labels[rows, column] = np.nan_to_num(values)
        weights[rows, column] = np.isfinite(values)
    smiles = np.repeat(np.array(store.smiles, dtype=object), repeats)
    with quiet_deepchem() as deepchem:
        dataset = deepchem.data.NumpyDataset(smiles, labels, weights, smiles)
    return [task.assay_id for task in store], dataset


@contextmanager
def quiet_deepchem() -> Iterator[Any]:
    """DeepChem, its notices and RDKit's kept from the terminal while the block runs.

    It tells of every library that it does not find, and RDKit of each deprecated call.

    Raises:
        ConfigError: it is not installed, or of another version than 2.8.
    """
    from rdkit import rdBase

    logger = logging.getLogger("deepchem")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings(), rdBase.BlockLogs():
        warnings.simplefilter("ignore")
        try:
            yield _import_deepchem()
        finally:
            logger.setLevel(level)


def _import_deepchem() -> Any:
    try:
        import deepchem
    except ImportError as error:
        raise ConfigError(f"DeepChem is not installed. {_how_to_install()}") from error
    if not deepchem.__version__.startswith("2.8."):
        raise ConfigError(
            f"DeepChem {deepchem.__version__} is installed, and 2.8 is needed. {_how_to_install()}"
        )
    return deepchem


def _how_to_install(python: tuple[int, ...] = sys.version_info[:2]) -> str:
    if python > _NEWEST_PYTHON:
        return (
            f"DeepChem 2.8 supports Python up to 3.11, and this is Python {python[0]}.{python[1]}: "
            "use an environment with Python 3.11 and pip install 'molmeta[deepchem]'."
        )
    return "Install it with: pip install 'molmeta[deepchem]'."


def labels_and_weights(dataset: Any) -> tuple[Array, Array]:
    """Labels and weights of a dataset, both [n, n_tasks].

    DeepChem leaves out the second dimension where it may.

    Raises:
        InputError: labels that are no numbers.
    """
    n = len(dataset)
    try:
        labels = np.asarray(dataset.y, dtype=np.float64).reshape(n, -1)
        weights = np.asarray(dataset.w, dtype=np.float64).reshape(n, -1)
    except (TypeError, ValueError) as error:
        raise InputError(f"The labels of the dataset must be numbers: {error}.") from error
    return labels, np.broadcast_to(weights, labels.shape)


def _require_classes(name: str, values: Array) -> None:
    other = values[(values != 0) & (values != 1)]
    if len(other):
        raise InputError(
            f"Task {name!r} holds {other[0]:g}, and a class is 0 or 1. If these are measured "
            "values, say so with regression=True."
        )


def _floats(values: NDArray[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values.astype(np.float32))


def _occurrence(molecules: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many times each of `molecules` [n] stood before it: [n]."""
    order = np.argsort(molecules, kind="stable")
    _, starts, counts = np.unique(molecules[order], return_index=True, return_counts=True)
    before = np.empty_like(molecules)
    before[order] = np.arange(len(molecules)) - np.repeat(starts, counts)
    return before
