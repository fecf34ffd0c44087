"""A ChEMBL release to assays: `python -m data_recipes.chembl --source chembl_36.db --out DIR`.

The rules are those that made FS-Mol of ChEMBL 27 (Stanley et al. 2021; `fs_mol/preprocessing`):

- an assay has at least 32 activities;
- values are concentrations or an inhibition in percent; pIC50 is minus log10 molar;
- molecules weigh at most 900 Da;
- the threshold of an assay is its median, if that lies between pIC50 4 and 6, or 5 and 7 where a
  class of the target's proteins has "enzyme" or "ase" in it; else pIC50 5. Of percentages it is the
  median if that is at least 50, else 50. What lies above it is active, the threshold is not;
- 32 to 5,000 compounds are left, 30 to 70 % of them active.

They depart from it where FS-Mol takes anything measured in nM, uM or %, whatever it is:

- types are those of `STANDARD_TYPES`, units any of molar or %; of an assay only the commonest type
  is taken, where FS-Mol holds IC50, Ki and percentages against each other;
- what ChEMBL doubts (`data_validity_comment`) or takes for a repetition (`potential_duplicate`) is
  left out;
- a bound such as `> 1 uM` is a class only where it lies wholly on one side of the threshold; FS-Mol
  takes it for its number, and so calls compounds active of which the contrary may be true. A
  missing relation means `=`;
- a compound stands once in an assay (`data_recipes.duplicates`); FS-Mol keeps values within one log
  unit of each other as rows of their own, and drops the compound if they lie further apart;
- molecules are what `molmeta.chem.intake` makes of them; FS-Mol chooses a canonical tautomer too;
- assays without a protein as target are kept; FS-Mol's folds have none. `target_family` is empty
  there, and `confidence` is 9 for a single protein and 0 where nothing is known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdkit.Chem.Descriptors import MolWt  # type: ignore[attr-defined]

from data_recipes.building import About, Build, building
from data_recipes.chembl_release import Activity, Assay, Release, open_release
from data_recipes.command import recipe_command, tell_store
from data_recipes.duplicates import merge_duplicates
from data_recipes.measured import PERCENT, Value, fsmol_threshold, value_of, values_in
from molmeta.assays.labels import Measurement, read_label
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

STANDARD_TYPES: Final = {
    **dict.fromkeys(
        ("AC50", "CC50", "EC50", "ED50", "GI50", "IC50", "Kd", "Ki", "LC50", "Potency", "XC50"),
        "nM",
    ),
    "Inhibition": PERCENT,
}
"""Types that say how potent a compound is, and what their values are turned into."""

SMALLEST: Final = 32
"""Compounds of an assay, when all else has been left out."""
LARGEST: Final = 5_000
"""Structures of an assay: beyond are high-throughput screens, which are mostly noise."""
ACTIVE_SHARE: Final = (0.3, 0.7)
HEAVIEST: Final = 900.0
"""Da, without counter-ions."""

_FOR_IT: Final = "Manually validated"
"""The one comment of ChEMBL on a value's validity that does not speak against it."""

_TOO_SMALL: Final = f"rows of assays left with fewer than {SMALLEST} compounds"
_BATCH: Final = 200_000
"""Rows whose molecules are read together, on all cores."""


@recipe_command(
    "chembl",
    source="chembl_NN.db, or the chembl_NN_sqlite.tar.gz that ChEMBL publishes, which is unpacked "
    "beside --out for the time (30 GB).",
    source_required=True,
)
def main(out: Path, source: Path, overwrite: bool) -> None:
    """Make assays.parquet out of a ChEMBL release, with classes by the rules of FS-Mol."""
    with open_release(source, scratch=out.with_name(f".{out.name}.unpacked")) as release:
        name, date = release.version()
        about = About(
            recipe="chembl",
            name=name,
            url="https://www.ebi.ac.uk/chembl/",
            licence="CC BY-SA 3.0",
            citation="Zdrazil et al. 2024, The ChEMBL Database in 2023, Nucleic Acids Res."
            " 52, D1180",
            released=date,
        )
        with building(out, about, overwrite=overwrite) as build:
            build.read(source)
            build.settings |= {
                "standard_types": sorted(STANDARD_TYPES),
                "smallest_assay": SMALLEST,
                "largest_assay": LARGEST,
                "active_share": list(ACTIVE_SHARE),
                "heaviest_molecule_da": HEAVIEST,
            }
            build.write("assays", _tables(release, build))
    tell_store(out)


@dataclass(frozen=True, slots=True)
class _Usable:
    """An activity with a structure and a value."""

    type: str
    smiles: str
    value: Value


def _tables(release: Release, build: Build) -> Iterator[pa.Table]:
    """The rows of every assay that is kept, one assay after the other."""
    is_any = False
    for batch in _batches(release, build):
        rows = merge_duplicates(_table(batch), build)
        places: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(rows["assay_id"].to_pylist()):
            places[name].append(place)
        for assay, _ in batch:
            compounds = rows.take(places[assay.chembl_id])
            if (labelled := _labelled(assay, compounds, build)) is not None:
                is_any = True
                yield labelled
    if not is_any:
        raise InputError(
            f"No assay is left: none has {SMALLEST} compounds that can be compared, "
            f"{ACTIVE_SHARE[0]:.0%} to {ACTIVE_SHARE[1]:.0%} of them active. Left out: "
            + "; ".join(f"{n} {reason}" for reason, n in build.counts.get("dropped", {}).items())
        )


def _batches(release: Release, build: Build) -> Iterator[list[tuple[Assay, Sequence[_Usable]]]]:
    """Assays with the rows that can be used, some hundred thousand rows at a time."""
    from tqdm import tqdm

    total, in_large = release.n_activities(SMALLEST)
    build.settings["activities"] = total
    build.count("dropped", f"rows of assays with fewer than {SMALLEST}", total - in_large)
    batch: list[tuple[Assay, Sequence[_Usable]]] = []
    n_rows = 0
    with tqdm(total=in_large, desc="activities", unit="row", disable=None) as progress:
        for assay, activities in release.assays(SMALLEST):
            rows: list[_Usable] = []
            for activity in activities:
                outcome = _usable(activity)
                if isinstance(outcome, str):
                    build.count("dropped", outcome)
                else:
                    rows.append(outcome)
                progress.update()
            if compared := _of_one_type(rows, build):
                batch.append((assay, compared))
                n_rows += len(compared)
            if n_rows >= _BATCH:
                yield batch
                batch, n_rows = [], 0
    if batch:
        yield batch


def _usable(activity: Activity) -> _Usable | str:
    """What an activity says, or why it is left out."""
    unit = STANDARD_TYPES.get(activity.type or "")
    if activity.type is None or unit is None:
        return "rows of a standard type that is no measure of potency"
    if activity.validity not in (None, _FOR_IT):
        return f"rows that ChEMBL marks: {activity.validity}"
    if activity.is_repeated:
        return "rows that ChEMBL marks: Potential duplicate"
    if not activity.smiles:
        return "rows without a structure"
    if activity.value is None:
        return "rows without a value"
    # The grammar of a user's cells knows units, relations, and what no concentration can be.
    reading = read_label(f"{activity.relation or '='} {activity.value} {activity.unit or ''}")
    value = value_of(reading) if isinstance(reading, Measurement) else None
    if value is None or value.unit != unit:
        return "rows whose value is no concentration above zero, or no percentage of inhibition"
    return _Usable(activity.type, activity.smiles, value)


def _of_one_type(rows: Sequence[_Usable], build: Build) -> Sequence[_Usable]:
    """The rows of an assay's commonest type; of two, the first in the alphabet."""
    by_type: dict[str, list[_Usable]] = defaultdict(list)
    for row in rows:
        by_type[row.type].append(row)
    kept = max((by_type[name] for name in sorted(by_type)), key=len, default=[])
    build.count("dropped", "rows of another type than most of their assay", len(rows) - len(kept))
    # Looked at before molecules are read, which takes far longer.
    n_structures = len({row.smiles for row in kept})
    if n_structures > LARGEST:
        build.count("dropped", f"rows of assays with more than {LARGEST} structures", len(kept))
        return ()
    if n_structures < SMALLEST:
        build.count("dropped", _TOO_SMALL, len(kept))
        return ()
    return kept


def _table(batch: Sequence[tuple[Assay, Sequence[_Usable]]]) -> pa.Table:
    import pyarrow as pa

    rows = [(assay.chembl_id, row) for assay, usable in batch for row in usable]
    return pa.table(
        {
            "assay_id": pa.array([name for name, _ in rows], pa.string()),
            "smiles": pa.array([row.smiles for _, row in rows], pa.string()),
            "value": pa.array([row.value.value for _, row in rows], pa.float64()),
            "log_value": pa.array([row.value.log_value for _, row in rows], pa.float64()),
            "relation": pa.array([row.value.relation for _, row in rows], pa.string()),
            "unit": pa.array([row.value.unit for _, row in rows], pa.string()),
            "standard_type": pa.array([row.type for _, row in rows], pa.string()),
        }
    )


def _labelled(assay: Assay, compounds: pa.Table, build: Build) -> pa.Table | None:
    """The compounds of an assay with their classes, or None where too few or unbalanced."""
    import pyarrow as pa

    is_light = [_weight(text) <= HEAVIEST for text in compounds["smiles"].to_pylist()]
    build.count("dropped", f"compounds heavier than {HEAVIEST:g} Da", is_light.count(False))
    compounds = compounds.filter(pa.array(is_light, pa.bool_()))
    if not compounds.num_rows:
        return None
    target = assay.target
    # As FS-Mol has it; "ase" stands for the kinases, proteases ... without the word before them.
    is_enzyme = target is not None and any(
        "enzyme" in family or "ase" in family for family in target.families
    )
    values = [value for value in values_in(compounds) if value is not None]
    threshold = fsmol_threshold(values, is_enzyme=is_enzyme)
    labels = [threshold.label(value) for value in values]
    build.count("dropped", "compounds whose bound leaves both classes open", labels.count(None))
    compounds = compounds.append_column("label", pa.array(labels, pa.bool_()).cast(pa.int8()))
    compounds = compounds.filter(compounds["label"].is_valid())
    n, n_active = compounds.num_rows, labels.count(True)
    if n < SMALLEST:
        build.count("dropped", _TOO_SMALL, n)
        return None
    if not ACTIVE_SHARE[0] <= n_active / n <= ACTIVE_SHARE[1]:
        build.count("dropped", "compounds of assays with too few or too many actives", n)
        return None
    for name, type_, cell in (
        ("assay_type", pa.string(), assay.type),
        ("confidence", pa.int8(), assay.confidence),
        ("target_id", pa.string(), target and target.chembl_id),
        ("target_name", pa.string(), target and target.name),
        ("target_family", pa.string(), target and next(iter(target.families), None)),
        ("threshold", pa.float64(), threshold.value),
    ):
        compounds = compounds.append_column(name, pa.array([cell] * n, type_))
    return compounds


@lru_cache(maxsize=1 << 18)
def _weight(smiles: str) -> float:
    """Of the molecule without counter-ions, in Da."""
    outcome = read_smiles(smiles)
    return float(MolWt(outcome.mol)) if isinstance(outcome, Molecule) else math.inf


if __name__ == "__main__":
    main()
