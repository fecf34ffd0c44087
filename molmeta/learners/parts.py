"""What predictions are made of: parts that add up, and how molecules vary together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.base import Embedded, HeadPredictor

AVERAGE: Final = "average of the support"
"""Base: what is expected of any molecule, because the support is as active as it is."""
RECORD: Final = "its own record"
"""Base: what public assays said of the molecule itself, active in many or in few."""
UNLIKENESS: Final = "unlike the support"
"""Base: that it is farther from the support than the support's compounds from one another."""
RESEMBLANCE: Final = "assays like this one"
"""Base: what the public assays that agree with the support said of the molecule itself."""

LEARNED: Final = "learned similarity"
"""Support: by the embeddings that meta-training made."""
FINGERPRINT: Final = "fingerprint similarity"
"""Support: by the Tanimoto similarity of ECFP counts."""
COMPOSITION: Final = "size and composition"
"""Support: by the distance of the molecular quantum numbers."""
SHARED: Final = "shared public assays"
"""Support: by the public assays that measured both molecules."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts whose sum is the prediction of each molecule: the logit, or the value."""

    base: Mapping[str, Tensor]
    """What no single support compound brings: name -> [n]."""
    support: Mapping[str, Tensor]
    """What each support compound brings, by how it is compared: name -> [n_support, n]."""

    @property
    def total(self) -> Tensor:
        """The prediction: [n]."""
        return torch.stack([*self.base.values(), *(p.sum(0) for p in self.support.values())]).sum(0)

    def scaled(self, factor: Tensor) -> Parts:
        """Every part times `factor`, [n] or []."""
        return Parts(
            {name: factor * part for name, part in self.base.items()},
            {name: factor * part for name, part in self.support.items()},
        )

    def reordered(self, places: Tensor) -> Parts:
        """The support compounds at `places` [n_support], in that order."""
        return Parts(self.base, {name: part[places] for name, part in self.support.items()})


@dataclass(frozen=True, slots=True)
class Joint:
    """Gaussian belief about several molecules at once, on the process's own scale.

    Labels are -1 and 1, so that a mean of 0 is a molecule as likely active as not.
    """

    mean: Tensor
    """[n], double."""
    covariance: Tensor
    """[n, n], double; of the latent function, without the noise of a measurement."""
    noise: Tensor
    """[], double: variance of a measurement around the latent function."""


@runtime_checkable
class PartedHead(Protocol):
    """A head whose predictions are a sum that it can write out."""

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the prediction of each molecule, the support in the head's own order."""


@runtime_checkable
class JointHead(Protocol):
    """A head that knows how its predictions vary together."""

    def joint(self, query: Embedded) -> Joint:
        """The belief about all molecules of `query` [n] at once."""


def parts_of(predictor: object, molecules: MoleculeBatch) -> Parts | None:
    """What adds up to the predictor's answers; None where its method has no such sum."""
    if not isinstance(predictor, HeadPredictor):
        return None
    head: object = predictor.head
    return head.parts(predictor.embed(molecules)) if isinstance(head, PartedHead) else None


def joint_of(predictor: object, molecules: MoleculeBatch) -> Joint | None:
    """The predictor's belief about all molecules at once; None where its method has none."""
    if not isinstance(predictor, HeadPredictor):
        return None
    head: object = predictor.head
    return head.joint(predictor.embed(molecules)) if isinstance(head, JointHead) else None
