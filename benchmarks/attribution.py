"""Whether highlighted atoms matter to the model: `python -m benchmarks.attribution --help`.

Atoms are masked, as attributions mask them; and side chains are cut off, which makes real
molecules whose every input is computed anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import numpy as np
import torch
from rdkit import Chem
from scipy.stats import spearmanr

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import open_store
from molmeta.assays.task import LabeledMolecules
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.evaluation.metrics import Array
from molmeta.explanation.atoms import atom_shares
from molmeta.explanation.masking import masked
from molmeta.target import TargetModel

HIGHLIGHTED: Final = 0.2
"""Share of a molecule's atoms."""

DRAWS: Final = 8
"""Of random atoms, for one set of highlighted ones."""

LEAST_ATOMS: Final = 10

LEAST_CHAINS: Final = 4
"""For a rank correlation over them to mean anything."""

SIZE_RANGE: Final = 2
"""Atoms by which side chains of one size may differ."""


@click.command()
@click.option("--assays", type=click.Path(path_type=Path), required=True)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--support-size", type=int, default=16, show_default=True)
@click.option("--every", type=int, default=1, show_default=True, help="Take each nth assay alone.")
@click.option("--molecules", type=int, default=4, show_default=True, help="Of each assay.")
def main(assays: Path, model: Path | None, support_size: int, every: int, molecules: int) -> None:
    """Print what deleting the highlighted atoms does to the log odds, beside random atoms.

    raising, lowering: the mean change without the fifth of the atoms that are said to raise or to
    lower the log odds most. cut: mean size of the change when the side chain with the largest sum
    of shares is cut off, beside other side chains of its size, and the rank correlation between
    those sums and the changes over a molecule's side chains.
    """
    torch.set_num_threads(1)
    store = open_store(assays)
    checkpoint = load_checkpoint(model or shipped_model_path(), memory=False)
    generator = np.random.default_rng(0)
    outcomes: list[dict[str, float]] = []
    for task in store.tasks[::every]:
        draw = official_draw(task.labels, support_size, 0)
        if draw is None:
            continue
        support = torch.from_numpy(draw[0])
        known = LabeledMolecules(
            store.molecules.gather(task.molecules[support]), task.labels[support]
        )
        target = TargetModel(replace(checkpoint, support=known))
        for row in generator.permutation(draw[1])[:molecules]:
            molecule = read_smiles(store.smiles[int(task.molecules[row])])
            if isinstance(molecule, Molecule) and molecule.mol.GetNumAtoms() >= LEAST_ATOMS:
                rivals = _random_losses(target, molecule, generator)
                outcomes.append({**rivals, **_outcome(target, molecule)})
    click.echo(f"{len(outcomes)} molecules")
    for name in outcomes[0] if outcomes else ():
        click.echo(f"{name:12} {_mean([outcome[name] for outcome in outcomes])}")


def _mean(values: list[float]) -> str:
    """Mean ± standard error of what is defined."""
    defined = np.array([value for value in values if np.isfinite(value)])
    n = len(defined)
    mean = defined.mean() if n else np.nan
    error = defined.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return f"{mean:+.2f} ± {error:.2f}"


def _highlighted(molecule: Molecule) -> int:
    return max(2, round(HIGHLIGHTED * molecule.mol.GetNumAtoms()))


def _change(target: TargetModel, molecule: Molecule, without: MoleculeBatch) -> Array:
    """The log odds without some atoms, minus those of the molecule: [len(without)]."""
    whole = float(target.merits(featurize([molecule])))
    return np.asarray(target.merits(without).double().numpy() - whole, dtype=np.float64)


def _random_losses(
    target: TargetModel, molecule: Molecule, generator: np.random.Generator
) -> dict[str, float]:
    n, k = molecule.mol.GetNumAtoms(), _highlighted(molecule)
    masks = [generator.permutation(n)[:k].tolist() for _ in range(DRAWS)]
    return {"random": float(_change(target, molecule, masked(molecule, masks)).mean())}


def _outcome(target: TargetModel, molecule: Molecule) -> dict[str, float]:
    shares = np.array(atom_shares(target, molecule).shares)
    order, k = np.argsort(shares), _highlighted(molecule)
    masks = [order[-k:].tolist(), order[:k].tolist()]
    raising, lowering = _change(target, molecule, masked(molecule, masks))
    outcome = {"raising": float(raising), "lowering": float(lowering)}
    chains = [
        (chain, rest) for chain in _side_chains(molecule.mol) if (rest := _cut(molecule, chain))
    ]
    if len(chains) < LEAST_CHAINS:
        return outcome | dict.fromkeys(("cut", "others cut", "correlation"), np.nan)
    lost = -_change(target, molecule, featurize([rest for _, rest in chains]))
    sums = np.array([shares[list(chain)].sum() for chain, _ in chains])
    top = int(np.abs(sums).argmax())
    sizes = np.array([len(chain) for chain, _ in chains])
    others = (np.abs(sizes - sizes[top]) <= SIZE_RANGE) & (np.arange(len(chains)) != top)
    return outcome | {
        "cut": float(abs(lost[top])) if others.any() else np.nan,
        "others cut": float(np.abs(lost[others]).mean()) if others.any() else np.nan,
        "correlation": float(spearmanr(sums, lost).statistic),
    }


def _side_chains(mol: Chem.Mol) -> list[frozenset[int]]:
    """The smaller side of every single bond outside rings, as atoms."""
    chains = []
    for bond in mol.GetBonds():
        if bond.IsInRing() or bond.GetBondType() != Chem.BondType.SINGLE:
            continue
        parts = Chem.GetMolFrags(Chem.FragmentOnBonds(mol, [bond.GetIdx()], addDummies=False))
        chains.append(min(map(frozenset, parts), key=len))
    return list(dict.fromkeys(chains))


def _cut(molecule: Molecule, chain: frozenset[int]) -> Molecule | None:
    """The molecule with hydrogen in place of a side chain."""
    mol = Chem.RWMol(molecule.mol)
    for atom in mol.GetAtoms():
        beside = any(other.GetIdx() in chain for other in atom.GetNeighbors())
        if (
            atom.GetIdx() not in chain
            and beside
            and atom.GetIsAromatic()
            and atom.GetSymbol() != "C"
        ):
            atom.SetNumExplicitHs(1)  # as in pyrrole: an aromatic nitrogen's is never implied
    for place in sorted(chain, reverse=True):
        mol.RemoveAtom(place)
    rest = read_smiles(Chem.MolToSmiles(mol))
    return rest if isinstance(rest, Molecule) else None


if __name__ == "__main__":
    main()
