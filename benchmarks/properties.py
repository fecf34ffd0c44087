"""Values unlike any of meta-training's: `python -m benchmarks.properties --molecules library.csv`.

Properties that RDKit computes stand in for solubility, lipophilicity and the like: smooth in size
and composition, on molecules that have little in common, where assays of potency have series of
analogues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import click
import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import QED, rdMolDescriptors

from molmeta.assays.tables import open_table
from molmeta.assays.task import MeasuredMolecules
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.evaluation.metrics import Array
from molmeta.evaluation.value_metrics import value_metrics
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import ValueLearner

N_MOLECULES: Final = 900
N_QUERY: Final = 300
NOISE: Final = 0.5
"""Of the noisy properties, in standard deviations of the property."""
BASELINES: Final = ("tanimoto_gp", "random_forest", "tanimoto_knn")


def _lipophilicity(mol: Chem.Mol) -> float:
    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])


def _solubility(mol: Chem.Mol) -> float:
    """log10 mol/l, by Delaney's equation (2004, doi:10.1021/ci034243x)."""
    aromatic = sum(atom.GetIsAromatic() for atom in mol.GetAtoms()) / mol.GetNumHeavyAtoms()
    turning = rdMolDescriptors.CalcNumRotatableBonds(mol)
    size = 0.63 * _lipophilicity(mol) + 0.0062 * rdMolDescriptors.CalcExactMolWt(mol)
    return float(0.16 - size + 0.066 * turning - 0.74 * aromatic)


def _refractivity(mol: Chem.Mol) -> float:
    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[1])


PROPERTIES: Final[dict[str, Callable[[Chem.Mol], float]]] = {
    "lipophilicity": _lipophilicity,
    "solubility": _solubility,
    "polar surface": rdMolDescriptors.CalcTPSA,
    "refractivity": _refractivity,
    "drug-likeness": QED.qed,
    "sp3 carbons": rdMolDescriptors.CalcFractionCSP3,
}
NOISY: Final = ("lipophilicity", "solubility")


@click.command()
@click.option("--molecules", "library", type=click.Path(path_type=Path), required=True)
@click.option("--model", type=click.Path(path_type=Path), help="In place of the shipped one.")
@click.option("--support-size", "sizes", type=int, multiple=True, default=(16, 64, 256))
@click.option("--draws", type=click.IntRange(min=1), default=5, show_default=True)
def main(library: Path, model: Path | None, sizes: tuple[int, ...], draws: int) -> None:
    """Print R² and coverage of 90 % intervals, means over six clean and two noisy properties."""
    torch.set_num_threads(1)
    with open_table(library) as table:
        read = (read_smiles(row.smiles) for row in table)
        molecules = (one for one in read if isinstance(one, Molecule))
        taken = list(islice((m for m in molecules if m.mol.GetNumHeavyAtoms() > 2), N_MOLECULES))
    batch, values = featurize(taken), _values(taken)
    path = model or shipped_model_path()
    learners = {"model": load_checkpoint(path).learner}
    learners["model, no memory"] = load_checkpoint(path, memory=False).learner
    for name in BASELINES:
        learners[name] = LEARNERS[name](EncoderConfig(), LEARNERS[name].Config())
    click.echo(f"{len(taken)} molecules  R² and coverage @ {' / '.join(map(str, sizes))}")
    for name, learner in learners.items():
        assert isinstance(learner, ValueLearner)
        for kind in ("clean", "noisy"):
            some = [column for key, column in values.items() if key.endswith(kind)]
            figures = [
                np.mean(
                    [f for column in some for f in _figures(learner, batch, column, n, draws)], 0
                )
                for n in sizes
            ]
            r2, coverage = (" / ".join(f"{f[i]:.3f}" for f in figures) for i in (0, 1))
            click.echo(f"{name:18} {kind:6} {r2}   {coverage}")


def _values(molecules: list[Molecule]) -> dict[str, Array]:
    """Each property of each molecule, by name and kind: [n]."""
    generator = np.random.default_rng(0)
    values = {}
    for name, property_of in PROPERTIES.items():
        column = np.array([property_of(molecule.mol) for molecule in molecules])
        column = column.clip(*np.quantile(column, (0.005, 0.995)))  # a few giants
        values[f"{name}, clean"] = column
        if name in NOISY:
            noise = generator.normal(0, NOISE * column.std(), len(column))
            values[f"{name}, noisy"] = column + noise
    return values


def _figures(
    learner: ValueLearner, batch: MoleculeBatch, values: Array, n: int, draws: int
) -> Iterator[tuple[float, float]]:
    """R² and coverage of each draw."""
    measured = torch.from_numpy(values).float()
    for draw in range(draws):
        order = torch.from_numpy(np.random.default_rng(draw).permutation(len(values)))
        support, query = order[:n], order[n : n + N_QUERY]
        relations = torch.zeros(n, dtype=torch.int8)
        known = MeasuredMolecules(batch.gather(support), measured[support], relations)
        with torch.no_grad():
            prediction = learner.adapt_values(known)(batch.gather(query))
        low, high = prediction.interval()
        figures = value_metrics(
            values[query],
            np.ones(len(query), dtype=bool),
            prediction.mean.double().numpy(),
            low.double().numpy(),
            high.double().numpy(),
            float(measured[support].mean()),
        )
        yield figures["r2"], figures["coverage"]


if __name__ == "__main__":
    main()
