"""FS-Mol (Stanley et al. 2021) as published: `python -m data_recipes.fsmol --help`.

Every published row is kept, in the published order: the official draws are positions of rows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import numpy as np

from data_recipes.building import About, Build, building
from data_recipes.command import recipe_command, tell_store
from data_recipes.fsmol_files import FOLDS, Fold, assays_of
from data_recipes.sources import Source, fetch
from molmeta.assays.store import AssayStore
from molmeta.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

# Its publisher states no SHA-256.
TAR: Final = Source("fs-mol-dataset.tar", "https://figshare.com/ndownloader/files/31345321")
TASK_LIST: Final = Source(
    "fsmol-0.1.json",
    "https://raw.githubusercontent.com/microsoft/FS-Mol/"
    "ab187b46ddbc32b47b95075843dcf06d9902d7a6/datasets/fsmol-0.1.json",
    "f8d0e4d6031d47c82c7aef34c33b554c13648e5cb5c3fb7050070f4e79b23cf8",
)
ABOUT: Final = About(
    recipe="fsmol",
    name="FS-Mol 0.1",
    url="https://github.com/microsoft/FS-Mol",
    licence="CC BY-SA 3.0",
    citation="Stanley et al., FS-Mol: A Few-Shot Learning Dataset of Molecules, NeurIPS 2021 "
    "Datasets and Benchmarks; from ChEMBL 27",
    released="2021",
)

Folds = dict[Fold, dict[str, "pa.Table"]]
"""Fold -> assay id -> its rows."""


@recipe_command(
    "fsmol",
    source="The published tar, a folder unpacked from it, or a Parquet file or folder of them with "
    "a file for each fold. Default: download the tar (600 MB).",
)
@click.option(
    "--tasks",
    type=click.Path(path_type=Path),
    help=f"The task list, which says what assay is in what fold. Default: {TASK_LIST.name} beside "
    "--source; all assays, in the folds they lie in, where there is none.",
)
def main(out: Path, source: Path | None, overwrite: bool, tasks: Path | None) -> None:
    """Make train.parquet, valid.parquet and test.parquet out of FS-Mol, and tell their leaks."""
    from molmeta.assays.leakage import leaks_between, table_of_leaks
    from molmeta.assays.store import open_store

    with building(out, ABOUT, overwrite=overwrite) as build:
        if source is None:
            source, tasks = fetch(TAR), tasks or fetch(TASK_LIST)
        else:
            tasks = tasks or _list_beside(source)
        fold_of = None if tasks is None else _read_task_list(build.read(tasks))
        build.settings["task_list"] = None if tasks is None else tasks.name
        folds = _read_folds(source, build)
        if fold_of is not None:
            folds = _by_list(folds, fold_of, build)
        stores = {}
        for fold in FOLDS:
            if assays := folds.pop(fold, None):
                build.write(fold, (assays[name] for name in sorted(assays)))
                stores[fold] = open_store(build.folder / f"{fold}.parquet")
                n_rows = build.outputs[f"{fold}.parquet"]["rows"]
                _count_duplicates(fold, stores[fold], n_rows, build)
        if not stores:
            raise InputError(f"{source} holds no assay of FS-Mol that the task list names.")
    tell_store(out)
    if fold_of is None:
        click.echo(
            "There was no task list: every assay is kept, in the fold it lies in. With "
            f"{TASK_LIST.name} ({TASK_LIST.url}) beside the source, only the published ones are."
        )
    if len(stores) > 1:
        click.echo(table_of_leaks(leaks_between(stores)))


def _list_beside(source: Path) -> Path | None:
    places = [source / TASK_LIST.name, source.parent / TASK_LIST.name]
    return next((place for place in places if place.is_file()), None)


def _read_task_list(path: Path) -> dict[str, Fold]:
    """Assay id -> fold."""
    try:
        lists = json.loads(path.read_bytes())
        fold_of = {name: fold for fold in FOLDS for name in lists.get(fold, ())}
        n_named = sum(len(set(lists.get(fold, ()))) for fold in FOLDS)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no task list of FS-Mol ({error}).") from error
    if not fold_of or not all(isinstance(name, str) for name in fold_of):
        raise InputError(f"{path} is no task list of FS-Mol: it names no assays of train or valid.")
    if n_named != len(fold_of):
        raise InputError(f"{path} puts {n_named - len(fold_of)} assays into two folds.")
    return fold_of


def _by_list(folds: Folds, fold_of: dict[str, Fold], build: Build) -> Folds:
    """The assays in the folds that the task list puts them in."""
    listed: Folds = {}
    for assays in folds.values():
        for name, rows in assays.items():
            if name in fold_of:
                listed.setdefault(fold_of[name], {})[name] = rows
            else:
                build.count("dropped", "assays that the task list does not name")
    for name, fold in fold_of.items():
        if name not in listed.get(fold, {}):
            build.count("noted", f"assays of the task list for {fold} that the source lacks")
    return listed


def _read_folds(source: Path, build: Build) -> Folds:
    folds: Folds = {}
    for fold, name, rows in assays_of(source, build):
        if any(name in assays for assays in folds.values()):
            raise InputError(f"{source} holds the assay {name} twice.")
        if rows.num_rows:
            folds.setdefault(fold, {})[name] = rows
    if not folds:
        raise InputError(
            f"{source} holds no assay of FS-Mol: neither train/, valid/ or test/ with .jsonl.gz "
            "files, nor train.parquet, valid.parquet or test.parquet."
        )
    return folds


def _count_duplicates(fold: Fold, store: AssayStore, n_rows: int, build: Build) -> None:
    """Rows are kept whatever they say; this tells how many say the same, or the contrary."""
    n_repeats = n_contradictions = 0
    for task in store:
        keys, place, counts = np.unique(
            store.molecules.keys[task.molecules].numpy(), return_inverse=True, return_counts=True
        )
        n_active = np.bincount(place, weights=task.labels.numpy())
        n_repeats += len(task) - len(keys)
        n_contradictions += int(((n_active > 0) & (n_active < counts)).sum())
    n_unread = n_rows - sum(map(len, store))
    build.count("noted", f"rows of {fold} whose molecule cannot be read", n_unread)
    build.count("noted", f"rows of {fold} that repeat a compound of their assay", n_repeats)
    build.count("noted", f"compounds of {fold} both active and inactive", n_contradictions)


if __name__ == "__main__":
    main()
