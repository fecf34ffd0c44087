"""MoleculeNet's assays from DeepChem's copies: `python -m data_recipes.moleculenet --help`.

DeepChem's loaders read the files and know the tasks, and its splitters make the folds by molecules.
The folds by tasks are those of the few-shot literature, as positions among a data set's tasks.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click

from data_recipes.building import About, Build, building
from data_recipes.command import recipe_command, tell_store
from data_recipes.duplicates import merge_duplicates
from data_recipes.sources import Source, fetch
from molmeta.assays.deepchem_datasets import quiet_deepchem, tables_from_deepchem
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

_URL: Final = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/"
_US: Final = "public domain, US government work"
_NOT_STATED: Final = "licence not stated"

FOLDS: Final = ("train", "valid", "test")
SPLITTERS: Final = {"scaffold": "ScaffoldSplitter", "butina": "ButinaSplitter"}
"""Name of a split by molecules -> the class in `deepchem.splits`; 80, 10 and 10 % of them."""

MOST_FOR_BUTINA: Final = 10_000
"""Molecules; DeepChem keeps the distance of every pair, three gigabytes for the 7,569 of Tox21."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set of MoleculeNet."""

    title: str
    loader: str
    """Name in `deepchem.molnet`."""
    file: str
    licence: str
    sha256: str | None = None
    test_tasks: Sequence[int] = ()
    """Positions of the meta-test tasks; none where no few-shot split is published."""
    smallest_task: int = 0
    """Measurements; the few-shot split leaves out tasks of fewer."""


DATA_SETS: Final[dict[str, DataSet]] = {
    "tox21": DataSet(
        "Tox21",
        "load_tox21",
        "tox21.csv.gz",
        _US,
        "b0712b58280c1c87660d6abc23e199389372979a9d85f850cb27cdec6aa7c2af",
        range(9, 12),
    ),
    "sider": DataSet(
        "SIDER",
        "load_sider",
        "sider.csv.gz",
        "CC BY-NC-SA 4.0",
        "3ffbbdea85ccc74a54e762ff03547c189bb087866fcf1cae9c8d08b394811509",
        range(21, 27),
    ),
    "muv": DataSet(
        "MUV",
        "load_muv",
        "muv.csv.gz",
        _NOT_STATED,
        "93c8b4a37c5996c76e57d5f3f065fb8b7cf1c19067011eff2293fd2a94ce274a",
        range(12, 17),
    ),
    # The list of tasks to leave out in the code of PAR (Wang et al. 2021) is this rule: 362 tasks
    # for meta-training and 156 for meta-test are left of 617.
    "toxcast": DataSet(
        "ToxCast",
        "load_toxcast",
        "toxcast_data.csv.gz",
        _US,
        "56041515e0bb63c1787a26ecdbeb2bd7ae1f538681caa1b03f768853cf81b1a7",
        range(450, 617),
        smallest_task=150,
    ),
    # As in the code of GS-Meta (Zhuang et al. 2023): the first five and the last five.
    "pcba": DataSet(
        "PCBA",
        "load_pcba",
        "pcba.csv.gz",
        _NOT_STATED,
        test_tasks=(*range(5), *range(123, 128)),
    ),
    "hiv": DataSet("HIV", "load_hiv", "HIV.csv", _US),
    "clintox": DataSet("ClinTox", "load_clintox", "clintox.csv.gz", _NOT_STATED),
    "bbbp": DataSet("BBBP", "load_bbbp", "BBBP.csv", _NOT_STATED),
    "bace": DataSet("BACE", "load_bace_classification", "bace.csv", _NOT_STATED),
}


@recipe_command("moleculenet", source="DeepChem's file, or a folder that holds it; no download.")
@click.option("--dataset", "name", type=click.Choice(list(DATA_SETS)), required=True)
@click.option(
    "--split",
    type=click.Choice(["tasks", *SPLITTERS]),
    help="Folds by tasks, for meta-learning, or by molecules, with DeepChem's splitters. Default: "
    "tasks where a few-shot split is published, else scaffold.",
)
def main(out: Path, source: Path | None, overwrite: bool, name: str, split: str | None) -> None:
    """Make train.parquet and test.parquet, and valid.parquet where the split is by molecules.

    A missing label is no row. Of the splits by tasks: the last 3 of Tox21's 12, the last 6 of
    SIDER's 27 and the last 5 of MUV's 17 are meta-test; ToxCast's from the 451st on, without those
    of fewer than 150 measurements; PCBA's first and last five.
    """
    data = DATA_SETS[name]
    split = split or ("tasks" if data.test_tasks else "scaffold")
    if split == "tasks" and not data.test_tasks:
        raise ConfigError(
            f"No split of {data.title} by tasks is published: use --split scaffold or butina."
        )
    about = About(
        recipe="moleculenet",
        name=f"MoleculeNet {data.title}",
        url=_URL + data.file,
        licence=data.licence,
        citation="Wu et al. 2018, MoleculeNet, Chem. Sci. 9, 513",
        released="2017-03-02",
    )
    with quiet_deepchem() as deepchem, building(out, about, overwrite=overwrite) as build:
        path = build.read(fetch(Source(data.file, about.url, data.sha256), source), data.file)
        build.settings |= {"split": split, "deepchem": deepchem.__version__}
        tables = _load(deepchem, data, path)
        if split == "tasks":
            folds = _by_tasks(tables, data, build)
        else:
            folds = _by_molecules(deepchem, tables, split, build)
        for fold, table in folds.items():
            build.write(fold, table)
    tell_store(out)


def _load(deepchem: Any, data: DataSet, path: Path) -> dict[str, pa.Table]:
    """Rows of each task, by its name, in DeepChem's order of the tasks."""
    with TemporaryDirectory() as folder:
        try:
            # A loader looks for a file of this name in a folder, and downloads it where it is not.
            shutil.copyfile(path, Path(folder) / data.file)
            names, (dataset,), _ = getattr(deepchem.molnet, data.loader)(
                featurizer=deepchem.feat.DummyFeaturizer(),
                splitter=None,
                transformers=[],
                reload=False,
                data_dir=folder,
                save_dir=folder,
            )
        except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{path} cannot be read as DeepChem's {data.file}: {type(error).__name__}, {error}."
            ) from error
        try:
            return dict(tables_from_deepchem(dataset, names))
        finally:
            shutil.rmtree(dataset.data_dir, ignore_errors=True)


def _by_tasks(tables: Mapping[str, pa.Table], data: DataSet, build: Build) -> dict[str, pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc

    large = {name for name, table in tables.items() if table.num_rows >= data.smallest_task}
    build.settings["smallest_task"] = data.smallest_task
    build.count(
        "dropped",
        f"tasks of fewer than {data.smallest_task} measurements",
        len(tables) - len(large),
    )
    rows = merge_duplicates(pa.concat_tables([tables[n] for n in tables if n in large]), build)
    test = {name for i, name in enumerate(tables) if i in data.test_tasks}
    is_test = pc.is_in(rows["assay_id"], pa.array(sorted(test), pa.large_string()))
    return {"train": rows.filter(pc.invert(is_test)), "test": rows.filter(is_test)}


def _by_molecules(
    deepchem: Any, tables: Mapping[str, pa.Table], split: str, build: Build
) -> dict[str, pa.Table]:
    import numpy as np
    import pyarrow as pa
    from rdkit import Chem

    rows = merge_duplicates(pa.concat_tables(list(tables.values())), build)
    # Split by what a compound is rather than by how it is written, so that none is in two folds.
    texts = rows["smiles"].combine_chunks().dictionary_encode()
    smiles = [_standard(text) for text in texts.dictionary.to_pylist()]
    # DeepChem's splitters ask RDKit alone, which reads a little less than the intake.
    compounds = [text for text in dict.fromkeys(smiles) if Chem.MolFromSmiles(text) is not None]
    if split == "butina" and len(compounds) > MOST_FOR_BUTINA:
        raise ConfigError(
            f"--split butina compares every pair of molecules, and these are {len(compounds):,}; "
            f"it takes up to {MOST_FOR_BUTINA:,}. Use --split scaffold."
        )
    splitter = getattr(deepchem.splits, SPLITTERS[split])()
    dataset = deepchem.data.NumpyDataset(np.zeros(len(compounds)), ids=compounds)
    fold_of: dict[str, str] = {}
    for fold, places in zip(FOLDS, splitter.split(dataset), strict=True):
        fold_of |= dict.fromkeys([compounds[i] for i in places], fold)
    of_text = np.array([fold_of.get(text, "") for text in smiles])
    of_row = of_text[texts.indices.to_numpy()]
    build.count("dropped", "rows whose molecule RDKit alone cannot read", int((of_row == "").sum()))
    return {fold: rows.filter(pa.array(of_row == fold)) for fold in FOLDS}


def _standard(text: str) -> str:
    verdict = read_smiles(text)
    return verdict.smiles if isinstance(verdict, Molecule) else text


if __name__ == "__main__":
    main()
