"""`explain`: what a TargetModel's answer for a compound is made of.

    explain(target, texts) -> one Explanation a text, in order

The answer is a sum: parts that no single support compound brings, and a signed share of each
support compound. The atoms' shares are of the model without its compound memory, for which a
compound has an identity and no atoms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from molmeta.assays.task import MeasuredMolecules
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.errors import InputError
from molmeta.explanation.atoms import AtomShares, atom_shares
from molmeta.explanation.drawing import draw
from molmeta.explanation.support import Method, support_shares
from molmeta.scores import ScoredRow
from molmeta.target import TargetModel


@dataclass(frozen=True, slots=True)
class SupportShare:
    """One support compound's part in an answer."""

    place: int
    """Its place in the target's support, from 0."""
    smiles: str
    label: float
    """1 active, 0 inactive; or its value."""
    relation: int
    """0 measured, 1 the truth is higher than the value, -1 it is lower."""
    similarity: float
    """Tanimoto similarity of ECFP4 counts to the compound, 0 to 1."""
    share: float
    """Signed, in the unit of the answer: above 0 it raises the answer."""
    by_kernel: Mapping[str, float]
    """What adds up to the share, by how the two compounds are alike; empty where left out."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the answer for one compound is made of; a rejected one has its row alone."""

    scored: ScoredRow
    method: Method | None = None
    """How the shares were found; None where there is no answer."""
    base: Mapping[str, float] = field(default_factory=dict)
    """What no single support compound brings, by name; empty unless the method is exact."""
    support: tuple[SupportShare, ...] = ()
    """Every support compound, the largest share of either sign first."""
    atoms: AtomShares | None = None
    """None where they were not asked for, or there is no answer."""

    @property
    def total(self) -> float:
        """Base and shares together: where exact, the answer (`scored.merit`)."""
        return sum(self.base.values()) + sum(one.share for one in self.support)

    def document(self) -> dict[str, Any]:
        """Everything as values of JSON; a share that cannot be given is None."""
        document = asdict(self)
        del document["scored"]["text"]
        document["scored"] |= {"smiles": self.scored.smiles, "probability": self.scored.probability}
        for one in document["support"]:
            one["share"] = one["share"] if math.isfinite(one["share"]) else None
        return document

    def svg(self, *, width: int = 360, height: int = 270) -> str:
        """The compound as an `<svg>` element, its atoms coloured where they are explained.

        Raises:
            InputError: the compound was rejected.
        """
        smiles = self.scored.smiles
        if smiles is None:
            raise InputError(f"There is no structure to draw: {self.scored.reason}")
        shares = None if self.atoms is None else self.atoms.shares
        return draw(smiles, shares, width=width, height=height)


def explain(
    target: TargetModel, texts: Sequence[object], *, atoms: bool = True
) -> list[Explanation]:
    """One explanation for each text, in order.

    Args:
        target: the adapted model.
        texts: anything that `read_smiles` takes: SMILES or RDKit molecules.
        atoms: whether to attribute answers to atoms too, which costs as much as scoring a compound
            for each of its atoms.
    """
    structural = target.without_memory() if atoms else None
    return [
        _explained(target, structural, scored) if scored.is_usable else Explanation(scored)
        for scored in target.score(texts)
    ]


def _explained(
    target: TargetModel, structural: TargetModel | None, scored: ScoredRow
) -> Explanation:
    molecule = read_smiles(scored.smiles)
    assert isinstance(molecule, Molecule)
    batch = featurize([molecule]).to(target.support.molecules.device)
    found = support_shares(target, batch)
    similarities = tanimoto(target.support.molecules, batch)[:, 0].tolist()
    smiles, support = target.checkpoint.support_smiles, target.support
    if isinstance(support, MeasuredMolecules):
        labels, relations = support.values.tolist(), support.relations.tolist()
    else:
        labels, relations = support.labels.tolist(), [0] * len(support)
    shares = [
        SupportShare(
            place=place,
            smiles=smiles[place],
            label=label,
            relation=relation,
            similarity=similarities[place],
            share=float(found.shares[place, 0]),
            by_kernel={name: float(part[place, 0]) for name, part in found.by_kernel.items()},
        )
        for place, (label, relation) in enumerate(zip(labels, relations, strict=True))
    ]
    return Explanation(
        scored=scored,
        method=found.method,
        base={name: float(part[0]) for name, part in found.base.items()},
        support=tuple(sorted(shares, key=_weight, reverse=True)),
        atoms=None if structural is None else atom_shares(structural, molecule),
    )


def _weight(one: SupportShare) -> float:
    """Of a share that cannot be given less than of any other."""
    return abs(one.share) if math.isfinite(one.share) else -1.0
