"""Properties that RDKit computes, of molecules to pre-train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError

if TYPE_CHECKING:
    from rdkit import Chem

N_PROPERTIES: Final = 46
"""What `_properties` returns."""

_EXTREME: Final = 0.005
"""Quantile from either end beyond which a property is cut off: a few giants say nothing."""


def computed_properties(store: AssayStore, places: Tensor) -> Tensor:
    """The properties of the molecules at `places`, each property at mean 0 and deviation 1.

    Size, shape, lipophilicity, polarity, and how much of the surface belongs to atoms of which
    lipophilicity, refractivity and charge.

    Args:
        store: with the SMILES of its molecules.
        places: [k], of molecules.

    Returns:
        [len(store.molecules), N_PROPERTIES], float32; NaN at other places, and where RDKit knows
        no value.

    Raises:
        ConfigError: the store does not hold its SMILES.
    """
    if not store.smiles:
        raise ConfigError(
            "Computed properties need the SMILES of the assays: open them from a file, or set "
            "pretraining.properties to 0."
        )
    # Here, because training without them needs no RDKit once the molecules are featurised.
    from molmeta.chem.intake import Molecule, read_smiles

    chosen = places.tolist()
    values = np.full((len(store.molecules), N_PROPERTIES), np.nan)
    for place in tqdm(chosen, desc="computed properties", unit="molecule", disable=None):
        molecule = read_smiles(store.smiles[place])
        if isinstance(molecule, Molecule):
            values[place] = _properties(molecule.mol)
    values[~np.isfinite(values)] = np.nan
    lowest, highest = np.nanquantile(values[chosen], (_EXTREME, 1 - _EXTREME), axis=0)
    values = values.clip(lowest, highest)
    spread = np.nanstd(values, axis=0)
    scaled = (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1.0)
    return torch.from_numpy(scaled).float()


def _properties(mol: Chem.Mol) -> list[float]:
    from rdkit.Chem import rdMolDescriptors

    return [
        *rdMolDescriptors.CalcCrippenDescriptors(mol),
        rdMolDescriptors.CalcTPSA(mol),
        rdMolDescriptors.CalcLabuteASA(mol),
        rdMolDescriptors.CalcFractionCSP3(mol),
        rdMolDescriptors.CalcKappa1(mol),
        rdMolDescriptors.CalcKappa2(mol),
        rdMolDescriptors.CalcKappa3(mol),
        rdMolDescriptors.CalcNumHBD(mol),
        rdMolDescriptors.CalcNumHBA(mol),
        *rdMolDescriptors.SlogP_VSA_(mol),
        *rdMolDescriptors.SMR_VSA_(mol),
        *rdMolDescriptors.PEOE_VSA_(mol),
    ]
