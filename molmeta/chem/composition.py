"""How far molecules are apart in size and composition, by their molecular quantum numbers."""

from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.counted import MOST


def composition_distance(left: MoleculeBatch, right: MoleculeBatch) -> Tensor:
    """Σ (√c - √c')² over the 42 quantum numbers: [len(left), len(right)], float32.

    Roots, because counts differ by about their own root: one oxygen more says much beside one and
    little beside ten, and no number needs a scale that some set of molecules gave it.
    """
    roots, others = (m.descriptors.clamp(0, MOST).double().sqrt() for m in (left, right))
    totals = roots.square().sum(1)[:, None] + others.square().sum(1)
    return (totals - 2 * roots @ others.T).clamp(min=0).float()
