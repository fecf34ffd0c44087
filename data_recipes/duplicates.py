"""Rows of one compound in one assay to one row: the policy of every recipe but `fsmol`.

A compound is what `molmeta.chem.intake` makes of its text: salts off, one identity key. Within an
assay,

- a row whose molecule cannot be read is dropped;
- rows that agree are merged into the first of them;
- labels that contradict each other are dropped, all of that compound;
- exact values are replicates: the median of their logarithms counts, and a spread of more than one
  log unit is noted;
- beside exact values, bounds (`>`, `<`) add nothing, and where the median lies beyond one, all
  values of that compound are dropped;
- of bounds alone, the tightest counts; bounds on both sides decide nothing and are dropped.

A recipe that makes labels out of values calls this first and labels what is left, so that the
median decides the class, as it does for the replicates in a user's support set
(`molmeta.assays.replicates`).
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from data_recipes.building import Build
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK: Final = 2_000
_MERGED_COLUMNS: Final = ("label", "value", "log_value", "relation")


def merge_duplicates(rows: pa.Table, build: Build, *, workers: int | None = None) -> pa.Table:
    """The same table with each compound once in each assay, in the order of first appearance.

    Args:
        rows: `assay_id`, `smiles`, and any of `label`, `value`, `log_value` (minus log10 molar) and
            `relation` (of the value); other columns are taken from a compound's first row.
        build: counts what is merged, dropped and noted.
        workers: processes that read the molecules; all cores if None.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.fill_null(rows["smiles"].combine_chunks(), "").dictionary_encode()
    keys, is_readable = _identities(texts.dictionary.to_pylist(), workers)
    text_of_row = texts.indices.to_numpy()
    readable = is_readable[text_of_row]
    build.count("dropped", "rows whose molecule cannot be read", int((~readable).sum()))
    rows, text_of_row = rows.filter(pa.array(readable)), text_of_row[readable]
    assays = rows["assay_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    groups = _groups(assays, keys[text_of_row])
    readings = iter(_readings(rows.take(pa.array(np.concatenate([[], *groups]).astype(np.int64)))))
    keep, merged = np.ones(len(text_of_row), dtype=bool), {}
    for group in groups:
        keep[group[1:]] = False
        outcome = _merge(list(itertools.islice(readings, len(group))), build)
        if outcome is None:
            keep[group[0]] = False
        else:
            merged[int(group[0])] = outcome
    return _replaced(rows, merged).filter(pa.array(keep))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one row says of its compound."""

    label: int | None
    value: float | None
    log_value: float | None
    relation: str

    @property
    def potency(self) -> float | None:
        """What medians and bounds are taken of: higher is more potent."""
        if self.log_value is not None:
            return self.log_value
        return None if self.value is None else -self.value

    @property
    def side(self) -> int:
        """Where the true potency lies: 0 here, 1 higher, -1 lower."""
        # Imported here: the processes that read molecules need no torch.
        from molmeta.assays.store import RELATIONS

        return RELATIONS.get(self.relation, 0)


def _merge(rows: Sequence[_Reading], build: Build) -> _Reading | None:
    if len({row.label for row in rows} - {None}) > 1:
        build.count("dropped", "rows whose labels contradict each other", len(rows))
        return None
    exact = [row for row in rows if row.potency is not None and not row.side]
    potencies = [row.potency for row in exact if row.potency is not None]
    bounds = [(row.potency, row) for row in rows if row.potency is not None and row.side]
    floor = max((bound for bound, row in bounds if row.side > 0), default=-math.inf)
    ceiling = min((bound for bound, row in bounds if row.side < 0), default=math.inf)
    if (exact and not floor <= median(potencies) <= ceiling) or (
        not exact and -math.inf < floor and ceiling < math.inf
    ):
        build.count("dropped", "rows whose bounds contradict their compound's others", len(rows))
        return None
    build.count("merged", "rows into another of the same compound and assay", len(rows) - 1)
    label = next((row.label for row in rows if row.label is not None), None)
    if not exact:
        tightest = next((row for bound, row in bounds if bound in (floor, ceiling)), rows[0])
        return _Reading(label, tightest.value, tightest.log_value, tightest.relation)
    logs = [row.log_value for row in exact if row.log_value is not None]
    if logs and max(logs) - min(logs) > 1:
        build.count("noted", "compounds whose values lie more than one log unit apart")
    values = [row.value for row in exact if row.value is not None]
    return _Reading(label, _middle(values, bool(logs)), _middle(logs), exact[0].relation)


def _middle(values: Sequence[float], is_concentration: bool = False) -> float | None:
    """The median; of concentrations the one of their logarithms."""
    if not values:
        return None
    if is_concentration and min(values) > 0:
        return math.exp(median(map(math.log, values)))
    return median(values)


def _readings(rows: pa.Table) -> list[_Reading]:
    columns = {
        name: rows[name].to_pylist() for name in _MERGED_COLUMNS if name in rows.column_names
    }
    nothing = [None] * rows.num_rows
    cells = zip(*(columns.get(name, nothing) for name in _MERGED_COLUMNS), strict=True)
    return [_Reading(label, value, log, relation or "") for label, value, log, relation in cells]


def _replaced(rows: pa.Table, merged: dict[int, _Reading]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not merged:
        return rows
    mask = np.zeros(rows.num_rows, dtype=bool)
    places = sorted(merged)
    mask[places] = True
    for name in _MERGED_COLUMNS:
        if name in rows.column_names:
            place = rows.column_names.index(name)
            new = pa.array([getattr(merged[p], name) for p in places], rows.schema.field(name).type)
            column = pc.replace_with_mask(rows[name].combine_chunks(), pa.array(mask), new)
            rows = rows.set_column(place, rows.schema.field(name), column)
    return rows


def _groups(assays: NDArray[Any], keys: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows that share assay and key, in order, where they are more than one."""
    order = np.lexsort((keys, assays))
    is_new = (np.diff(assays[order]) != 0) | (np.diff(keys[order]) != 0)
    groups = np.split(order, np.flatnonzero(is_new) + 1)
    return [group for group in groups if len(group) > 1]


def _identities(
    texts: Sequence[str], workers: int | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Identity key of each text [n], and whether a molecule could be read [n]."""
    from tqdm import tqdm

    chunks = [texts[i : i + _CHUNK] for i in range(0, len(texts), _CHUNK)]
    n_workers = min(workers or os.cpu_count() or 1, len(chunks))
    found: list[int | None] = []
    with tqdm(total=len(texts), desc="molecules", unit="mol", disable=None) as progress:
        if n_workers <= 1:
            for chunk in chunks:
                found += _identities_of(chunk)
                progress.update(len(chunk))
        else:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(n_workers, mp_context=context) as pool:
                for keys in pool.map(_identities_of, chunks):
                    found += keys
                    progress.update(len(keys))
    readable = np.array([key is not None for key in found], dtype=bool)
    return np.array([key or 0 for key in found], dtype=np.int64), readable


def _identities_of(texts: Sequence[str]) -> list[int | None]:
    results = [read_smiles(text) for text in texts]
    keys = iter(featurize([r for r in results if isinstance(r, Molecule)]).keys.tolist())
    return [next(keys) if isinstance(r, Molecule) else None for r in results]
