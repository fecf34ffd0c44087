"""The contract of every learner: `adapt(support)` gives a predictor for other molecules.

    Learner      adapt(support) -> Predictor            any method
    HeadLearner  encode once, then fit_head(support) -> Head    methods that leave the encoder alone

`adapt` takes no query, so no query label can leak into it, and leaves the learner as it was.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.encoders.graph import Backend
from molmeta.errors import SupportError
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.size_law import SizeLaw
from molmeta.learners.space import Range


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a predictor says of each molecule."""

    logit: Tensor
    """[n], log odds of being active; ranks the molecules."""
    deviation: Tensor
    """[n], standard deviation of the logit by the method's own account; NaN where it has none."""

    @property
    def probability(self) -> Tensor:
        """Probability of being active: [n], 0..1."""
        return torch.sigmoid(self.logit)


Predictor = Callable[[MoleculeBatch], Prediction]
"""An adapted learner: molecules [n] to their Prediction, each molecule judged by itself alone."""


class Learner(nn.Module, ABC):
    """A method that adapts to a task from its support set alone."""

    Config: ClassVar[type[Any]]
    """Frozen dataclass of the method's own settings."""
    trainable: ClassVar[bool] = True
    """Whether the method has weights for the outer loop to train."""
    uses_memory: ClassVar[bool] = False
    """Whether the method can draw on a compound memory."""
    memory: CompoundMemory | None = None
    """What the meta-train assays said of compounds that turn up again; None while training."""
    search_space: ClassVar[Mapping[str, Range]] = {}
    """Settings of `Config` that act when the method adapts, and so can be tuned after
    meta-training; a setting that cannot change the order of the scores is left out."""

    config: Any
    """Of the type `Config`."""

    @property
    def calibrated(self) -> list[nn.Parameter]:
        """What is to be fitted on assays that no weight was trained on.

        All of it acts on what adaptation has made, so that it has a gradient in evaluation mode.
        """
        laws = [module for module in self.modules() if isinstance(module, SizeLaw)]
        return [law.law for law in laws]

    def adapt(self, support: LabeledMolecules) -> Predictor:
        """A predictor for the task that `support` [n_support] comes from.

        Differentiable with respect to the learner's weights in training mode, and the same to the
        last bit for any order of the support.

        Raises:
            SupportError: the support lacks one of the two classes.
        """
        require_both_classes(support.labels)
        return self._adapt(support.gather(fixed_order(support)))

    @abstractmethod
    def _adapt(self, support: LabeledMolecules) -> Predictor:
        """`adapt`, with both classes present and the molecules in a fixed order."""

    def query_logits(self, episodes: EpisodeBatch) -> list[Tensor]:
        """Logits [n_query] of each episode; equal to `adapt` on each, and often much faster."""
        return [self.adapt(e.support)(e.query.molecules).logit for e in episodes]

    def meta_loss(self, episodes: EpisodeBatch) -> Tensor:
        """Mean over tasks of the query's mean binary cross-entropy: what the outer loop lowers."""
        losses = [
            nn.functional.binary_cross_entropy_with_logits(logits, episodes.labels[query])
            for logits, query in zip(self.query_logits(episodes), episodes.query, strict=True)
        ]
        return torch.stack(losses).mean()


PairKernel = Callable[[MoleculeBatch, MoleculeBatch], Tensor]
"""Molecules [n] and others [m] to the kernel between them [n, m], each pair by itself alone."""

_TABLE_ROWS = 256
"""Computed at a time, which bounds the memory."""

_LARGEST_TABLE = 5_000
"""Molecules of the largest task whose pairs are kept: 200 MB for a kernel."""

_CACHED = 512
"""Vectors in half precision whose floats stay in the cache until they are multiplied."""


class PairTable:
    """Kernels between all molecules of a task, each computed once for however many draws of it."""

    def __init__(self, molecules: MoleculeBatch) -> None:
        self.molecules = molecules
        self._tables: dict[PairKernel, Tensor] = {}

    def of(self, kernel: PairKernel) -> Tensor:
        """`kernel` between every two molecules: [n, n]."""
        if kernel not in self._tables:
            parts = [kernel(part, self.molecules) for part in self._parts()]
            self._tables[kernel] = torch.cat(parts)
        return self._tables[kernel]

    def _parts(self) -> Iterator[MoleculeBatch]:
        n = len(self.molecules)
        if n <= _TABLE_ROWS:
            # The batch itself, so that kernels need to look at its molecules only once.
            yield self.molecules
            return
        rows = torch.arange(n, device=self.molecules.device)
        for start in range(0, n, _TABLE_ROWS):
            yield self.molecules.gather(rows[start : start + _TABLE_ROWS])


@dataclass(frozen=True, slots=True)
class Embedded:
    """Molecules with their embeddings."""

    vectors: Tensor
    """[n, dim]."""
    molecules: MoleculeBatch
    table: PairTable | None = None
    """Of the molecules that these were gathered from; None where pairs are not worth keeping."""
    places: Tensor | None = None
    """[n], int64: rows of the table."""
    given: Mapping[PairKernel, Tensor] = field(default_factory=dict)
    """Kernels that came with these molecules, between a support and them: [n_support, n]."""

    def tabulated(self) -> Embedded:
        """The same molecules; kernels between parts of them are computed once for all parts.

        Of more molecules than fit in memory by pairs, kernels are computed anew each time.
        """
        if self.table is not None or len(self.molecules) > _LARGEST_TABLE:
            return self
        places = torch.arange(len(self.molecules), device=self.vectors.device)
        return replace(self, table=PairTable(self.molecules), places=places)

    def gather(self, rows: Tensor) -> Embedded:
        """The molecules at `rows` [k]."""
        places = None if self.places is None else self.places[rows]
        return Embedded(self.vectors[rows], self.molecules.gather(rows), self.table, places)

    def pairs(self, kernel: PairKernel, others: Embedded) -> Tensor:
        """`kernel` between these molecules and others: [len(self), len(others)]."""
        if kernel in others.given:
            return others.given[kernel]
        if self.table is None or self.table is not others.table:
            return kernel(self.molecules, others.molecules)
        assert self.places is not None
        assert others.places is not None
        return self.table.of(kernel)[self.places[:, None], others.places]

    def products(self, others: Embedded) -> Tensor:
        """Scalar products of the vectors, [len(self), len(others)], in the others' dtype.

        A library may have its vectors in a smaller one than a support; for those in half precision
        the products are float.
        """
        # This way round, because a product of many rows by few columns is the faster one.
        if others.vectors.dtype != torch.half:
            return (others.vectors @ self.vectors.to(others.vectors.dtype).T).T
        own = self.vectors.float().T
        products = own.new_empty(len(others.vectors), own.shape[1])
        for start in range(0, len(products), _CACHED):
            part = slice(start, start + _CACHED)
            torch.mm(others.vectors[part].float(), own, out=products[part])
        return products.T


Head = Callable[[Embedded], Prediction]
"""A predictor over molecules that are encoded already."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class HeadPredictor(Generic[_Answer]):
    """A head with the encoder before it, so that it takes molecules."""

    embed: Callable[[MoleculeBatch], Embedded]
    head: Callable[[Embedded], _Answer]

    def __call__(self, molecules: MoleculeBatch) -> _Answer:
        """What the head says of each molecule."""
        return self.head(self.embed(molecules))


class HeadLearner(Learner):
    """A learner whose encoder is the same for every task, so that each molecule is encoded once.

    Heads see the direction of an embedding, which is what pre-training shapes, at one `length`.
    """

    in_double: ClassVar[bool] = False
    """Whether the vectors are double, for heads that would amplify rounding."""
    only_products: ClassVar[bool] = False
    """Whether heads look at vectors through `Embedded.products` alone, which takes half precision
    as it is."""

    def __init__(self, encoder: EncoderConfig, backend: Backend = "torch") -> None:
        super().__init__()
        self.encoder = FusedEncoder(encoder, backend)

    @property
    def length(self) -> float:
        """Of every vector that the head sees."""
        return 1.0

    def embed(self, molecules: MoleculeBatch) -> Embedded:
        """The molecules with their embeddings [n, dim] at that length."""
        vectors = self.encoder(molecules)
        if self.in_double:
            vectors = vectors.double()
        return Embedded(nn.functional.normalize(vectors, dim=1) * self.length, molecules)

    @abstractmethod
    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The head for a support of both classes; labels [n_support], 1 active, 0 inactive."""

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        head = self.fit_head(self.embed(support.molecules), support.labels)
        return HeadPredictor(self.embed, head)

    def query_logits(self, episodes: EpisodeBatch) -> list[Tensor]:
        """Logits [n_query] of each episode, with one pass of the encoder over all molecules."""
        everything = self.embed(episodes.molecules)
        logits = []
        for support, query in zip(episodes.support, episodes.query, strict=True):
            labels = episodes.labels[support]
            require_both_classes(labels)
            head = self.fit_head(everything.gather(support), labels)
            logits.append(head(everything.gather(query)).logit)
        return logits


def fixed_order(support: LabeledMolecules) -> Tensor:
    """Rows of `support` by identity key, then label: [n_support]."""
    return torch.argsort(support.molecules.keys * 2 + support.labels.long(), stable=True)


def require_both_classes(labels: Tensor) -> None:
    """Refuse labels [n_support] of one class: no method can learn a difference from them.

    Raises:
        SupportError: naming the class that is missing.
    """
    for value, name in ((1, "active"), (0, "inactive")):
        if not bool((labels == value).any()):
            raise SupportError(
                f"None of the {len(labels)} support compounds is {name}: "
                "add at least one, because a model cannot learn a difference from one class."
            )
