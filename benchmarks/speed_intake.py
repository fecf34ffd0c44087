"""From SMILES to everything that the shipped model needs, beside RDKit's parser and featurisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rdkit import Chem, rdBase

from benchmarks.speed_clock import Row, medians
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.text_scoring import BATCH

PARSER = "Chem.MolFromSmiles"
PYG = "torch_geometric from_smiles"
DEEPCHEM = "DeepChem MolGraphConv"


def measure(texts: Sequence[str], repeats: int) -> list[Row]:
    """Checks, graph, fingerprint, descriptors and identity of each molecule, beside its rivals."""
    jobs: dict[str, Callable[[], object]] = {
        "own": lambda: [
            featurize([one for one in map(read_smiles, part) if isinstance(one, Molecule)])
            for part in _parts(texts)
        ],
        PARSER: lambda: list(map(Chem.MolFromSmiles, texts)),
        PYG: _pyg(texts),
    }
    deepchem = _deepchem(texts[: len(texts) // 8])
    if deepchem is not None:
        jobs[DEEPCHEM] = deepchem
    with rdBase.BlockLogs():
        times = medians(jobs, repeats)
    each = {name: 1e6 * seconds / len(texts) for name, seconds in times.items()}
    slow = 8 * each[DEEPCHEM] if DEEPCHEM in each else None
    job = "SMILES to arrays, a molecule"
    return [
        Row(job, each["own"], "us", PARSER, each[PARSER], goal=2.5, guard=3.5),
        Row(job, each["own"], "us", PYG, each[PYG], goal=1 / 3, guard=0.6),
        Row(job, each["own"], "us", DEEPCHEM, slow),
    ]


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]


def _pyg(texts: Sequence[str]) -> Callable[[], object]:
    from torch_geometric.utils import from_smiles

    return lambda: [from_smiles(text) for text in texts]


def _deepchem(texts: Sequence[str]) -> Callable[[], object] | None:
    """Its featuriser; None where it is not installed."""
    import logging
    import warnings

    logging.getLogger("deepchem").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from deepchem.feat import MolGraphConvFeaturizer
        except ImportError:
            return None
    featurizer = MolGraphConvFeaturizer(use_edges=True)
    return lambda: featurizer.featurize(list(texts))
