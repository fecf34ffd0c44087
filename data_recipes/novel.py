"""A fold of novel chemistry, cut out of meta-train: `python -m data_recipes.novel --help`.

Public folds keep assays apart and not molecules: two fifths of the molecules of FS-Mol's meta-valid
fold were measured in meta-train too, and a model may know them. In this fold it knows none.

1. A candidate is an assay with both classes and enough molecules, stereoisomers counted as one,
   that occur in at most one other assay each on average: cutting it out costs the rest little.
2. Each target family, or each assay type where no family is given, gets its share of the fold.
3. Within it, candidates are taken in the order of a hash of their ids, but for those whose
   chemistry is that of one taken before: the cosine of their mean ECFP is too high.
4. The molecules of the fold are dropped from all other assays, whatever their stereo, and then the
   assays of which too little is left.

What is chosen depends on the assays alone, and not on the order of rows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from data_recipes.building import About, Build, building
from data_recipes.command import recipe_command, tell_store
from molmeta.assays.store import AssayStore, open_store
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import folded_counts
from molmeta.chem.stereo import keys_without_stereo
from molmeta.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

STRATA: Final = ("target_family", "assay_type")
"""The first of these columns that says anything divides the fold."""

_ECFP_BITS: Final = 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """What is cut out, and what of the rest is kept."""

    assays: int = 64
    """Of the fold; more where there are more strata, each of which gets one."""
    least_assays: int = 60
    """With fewer there is no fold."""
    molecules: int = 64
    """Of each assay of the fold, at least."""
    others: float = 1.0
    """Other assays of each molecule of a candidate, on average, at most."""
    alike: float = 0.8
    """Cosine of the mean ECFP of two assays of the fold, at most."""
    rest_rows: int = 32
    """Of each assay that is kept, at least."""


@recipe_command("novel", source="The meta-train fold, a Parquet file.", source_required=True)
def main(out: Path, source: Path, overwrite: bool) -> None:
    """Make novel.parquet, a fold whose molecules occur in no assay of train.parquet beside it."""
    build_novel(source, out, Rules(), overwrite=overwrite)
    tell_store(out)


def build_novel(source: Path, out: Path, rules: Rules, *, overwrite: bool = False) -> None:
    """Write the folder `out` with novel.parquet, train.parquet and dataset.json.

    Raises:
        InputError: the source cannot be read, or no fold can be cut out of it.
        OutputError: `out` cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if source.is_dir():
        raise InputError(
            f"{source} is a folder; name the Parquet file of the meta-train fold in it."
        )
    with building(out, _about(source), overwrite=overwrite) as build:
        store = open_store(build.read(source))
        rows = _usable_rows(pq.read_table(source), store, build)
        fold = _choose(rows, rules)
        build.settings = {**asdict(rules), "strata": rows.stratum_column}
        in_fold = np.isin(rows.assays, fold)
        build.write("novel", rows.table.filter(pa.array(in_fold)))
        build.write("train", rows.table.filter(pa.array(_rest(rows, in_fold, rules, build))))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The n usable rows of the source, of m assays."""

    table: pa.Table
    """[n], every column."""
    names: list[str]
    """[m], ids of the assays, ascending."""
    assays: NDArray[np.int64]
    """[n], places in `names`."""
    active: NDArray[np.bool_]
    """[n]."""
    flat: NDArray[np.int64]
    """[n], keys without stereo."""
    molecules: MoleculeBatch
    places: NDArray[np.int64]
    """[n], rows of `molecules`."""
    stratum_column: str | None

    def has_both_classes(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of the rows `kept` [n], whether each assay has an active and an inactive one: [m]."""
        m = len(self.names)
        n_active = np.bincount(self.assays[kept & self.active], minlength=m)
        return (n_active > 0) & (n_active < np.bincount(self.assays[kept], minlength=m))

    def strata(self) -> list[str]:
        """What each assay counts as: [m]; the first in the alphabet where its rows disagree."""
        found = [""] * len(self.names)
        if self.stratum_column is not None:
            texts = self.table[self.stratum_column].to_pylist()
            for assay, text in zip(self.assays.tolist(), texts, strict=True):
                if text:
                    found[assay] = min(found[assay] or str(text), str(text))
        return found

    def chemistry(self, assay: int) -> NDArray[np.float64]:
        """Mean ECFP of an assay, each bit once a molecule, as a vector of length 1: [1024]."""
        places = torch.from_numpy(self.places[self.assays == assay])
        bits = folded_counts(self.molecules.gather(places), _ECFP_BITS) > 0
        # Whole numbers until here, so that the order of the rows changes no bit.
        total: NDArray[np.float64] = bits.sum(0).double().numpy()
        return total / np.linalg.norm(total)


def _usable_rows(table: pa.Table, store: AssayStore, build: Build) -> _Rows:
    import pyarrow as pa

    texts = table["smiles"].to_pylist()
    names = table["assay_id"].cast(pa.large_string()).to_pylist()
    labels = table["label"].cast(pa.float32()).to_numpy()
    place_of = {text: place for place, text in enumerate(store.smiles)}
    places = np.array([place_of.get(text, -1) for text in texts], dtype=np.int64)
    usable = np.ones(len(places), dtype=bool)
    for reason, is_so in (
        ("rows whose molecule cannot be read", places < 0),
        ("rows whose label is neither 0 nor 1", ~np.isin(labels, (0, 1))),
        ("rows without assay_id", np.array([name is None for name in names])),
    ):
        build.count("dropped", reason, int((usable & is_so).sum()))
        usable &= ~is_so
    (flat,) = keys_without_stereo([store.molecules], [store.smiles])
    assay_names, assays = np.unique(np.array(names, dtype=object)[usable], return_inverse=True)
    kept = table.filter(pa.array(usable))
    columns = [name for name in STRATA if name in kept.column_names]
    return _Rows(
        table=kept,
        names=assay_names.tolist(),
        assays=assays.astype(np.int64),
        active=labels[usable] == 1,
        flat=flat.numpy()[places[usable]],
        molecules=store.molecules,
        places=places[usable],
        stratum_column=next((name for name in columns if any(kept[name].to_pylist())), None),
    )


def _choose(rows: _Rows, rules: Rules) -> list[int]:
    """The assays of the fold, as places in `rows.names`."""
    strata = rows.strata()
    # In an order that has nothing to do with when or where an assay was made.
    candidates = sorted(_candidates(rows, rules), key=lambda assay: _hash(rows.names[assay]))
    shares = _shares(Counter(strata[assay] for assay in candidates), rules.assays)
    fold: list[int] = []
    chemistries: list[NDArray[np.float64]] = []

    def take(some: Iterable[int], most: int) -> None:
        wanted = len(fold) + most
        for assay in some:
            if len(fold) >= wanted:
                return
            chemistry = rows.chemistry(assay)
            if all(chemistry @ other <= rules.alike for other in chemistries):
                fold.append(assay)
                chemistries.append(chemistry)

    for stratum in sorted(shares):
        take((a for a in candidates if strata[a] == stratum), shares[stratum])
    # Where a stratum has too little chemistry for its share, the others fill up.
    take((a for a in candidates if a not in fold), rules.assays - len(fold))
    if len(fold) < rules.least_assays:
        raise InputError(
            f"Only {len(fold)} assays of {rules.molecules} or more molecules are fit for a novel "
            f"fold, of {len(candidates)} whose molecules few others have; it takes "
            f"{rules.least_assays}."
        )
    return fold


def _candidates(rows: _Rows, rules: Rules) -> list[int]:
    """Assays that are large enough and share few molecules, as places in `rows.names`."""
    m = len(rows.names)
    _, flat = np.unique(rows.flat, return_inverse=True)
    pairs = np.unique(np.stack([rows.assays, flat], axis=1), axis=0)
    n_others = np.bincount(pairs[:, 1])[pairs[:, 1]] - 1
    n_molecules = np.bincount(pairs[:, 0], minlength=m)
    others = np.bincount(pairs[:, 0], weights=n_others, minlength=m)
    fit = (n_molecules >= rules.molecules) & (others <= rules.others * n_molecules)
    fit &= rows.has_both_classes(np.ones(len(rows.assays), dtype=bool))
    return np.flatnonzero(fit).tolist()


def _shares(sizes: Counter[str], total: int) -> dict[str, int]:
    """`total` divided in proportion to `sizes` by largest remainder, at least one each."""
    exact = {name: total * size / sizes.total() for name, size in sizes.items()}
    shares = {name: max(int(share), 1) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: (int(exact[name]) - exact[name], name)):
        if sum(shares.values()) < total:
            shares[name] += 1
    return shares


def _rest(rows: _Rows, in_fold: NDArray[np.bool_], rules: Rules, build: Build) -> NDArray[np.bool_]:
    """Which rows remain of the other assays: [n]."""
    m = len(rows.names)
    is_novel = np.isin(rows.flat, rows.flat[in_fold])
    build.count(
        "dropped",
        "rows of other assays whose molecule is in the novel fold",
        int((is_novel & ~in_fold).sum()),
    )
    sizes = np.bincount(rows.assays[~is_novel], minlength=m)
    large = (sizes >= rules.rest_rows) & rows.has_both_classes(~is_novel)
    too_small = ~large[rows.assays] & ~in_fold
    why = f"left with fewer than {rules.rest_rows} rows or one class"
    build.count("dropped", f"assays {why}", len(np.unique(rows.assays[too_small])))
    build.count("dropped", f"rows of assays {why}", int((too_small & ~is_novel).sum()))
    return ~is_novel & large[rows.assays]


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def _about(source: Path) -> About:
    """What the recipe that made the source says of it, if one did."""
    try:
        told = json.loads(source.with_name("dataset.json").read_bytes())
        if source.name in told["outputs"]:
            return About(
                recipe="novel",
                name=f"{told['name']}, novel fold",
                **{key: told[key] for key in ("url", "licence", "citation", "released")},
            )
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return About("novel", f"{source.name}, novel fold", "unknown", "unknown", "unknown")


if __name__ == "__main__":
    main()
