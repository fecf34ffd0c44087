"""Panels: assays that measured the same molecules, which would otherwise dominate the draws."""

import hashlib
from collections import Counter

import numpy as np
import torch
from torch import Tensor

from molmeta.assays.store import AssayStore


def panel_weights(store: AssayStore, power: float) -> Tensor:
    """Relative chance of each assay to be drawn: [len(store)], float64.

    Assays with exactly the same set of molecules form a panel. In the FS-Mol meta-train fold 284
    assays are one kinase panel of 157 molecules.

    Args:
        store: the meta-train assays.
        power: each assay of a panel of m weighs m^-power.
    """
    panels = [
        hashlib.sha256(np.unique(task.molecules.numpy()).tobytes()).digest() for task in store
    ]
    sizes = Counter(panels)
    return torch.tensor([sizes[panel] ** -power for panel in panels], dtype=torch.float64)
