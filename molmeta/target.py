"""TargetModel: one learner adapted to one target, and what it says of each compound."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.support import SupportSet
from molmeta.assays.tables import Row
from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule
from molmeta.chem.keys import KeySet
from molmeta.chem.similarity import tanimoto
from molmeta.errors import CheckpointError, ConfigError
from molmeta.learners.base import (
    Embedded,
    Head,
    HeadPredictor,
    Learner,
    PairKernel,
    Prediction,
    Predictor,
    fixed_order,
)
from molmeta.learners.overlap import Overlap, PackedCounts, SupportCounts
from molmeta.learners.parts import Joint, Parts, joint_of, parts_of
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import (
    ValueHead,
    ValueLearner,
    ValuePrediction,
    ValuePredictor,
    in_fixed_order,
)
from molmeta.learners.weighted_tanimoto import structural_kernel
from molmeta.scores import ScoredRow, Scores, in_place, probability_reach
from molmeta.text_scoring import TextScorer


class TargetModel:
    """A learner adapted to the support set that its checkpoint holds.

    From a support of classes it predicts classes, from one of values values. A support of actives
    alone teaches no difference: such a model withholds probabilities, and ranks by similarity.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Adapt the checkpoint's learner to the checkpoint's support.

        Raises:
            CheckpointError: the checkpoint has no support.
            ConfigError: the support is of values, and the learner predicts classes alone.
            SupportError: the support is of values from which nothing can be learned.
        """
        if checkpoint.support is None:
            raise CheckpointError(
                "This model is not adapted to a target yet: give it a support set "
                "(molmeta predict --support, or molmeta adapt)."
            )
        self.checkpoint = checkpoint
        self.support = checkpoint.support
        self._texts = TextScorer()
        self._predictor: Predictor | None = None
        self._value_predictor: ValuePredictor | None = None
        learner = checkpoint.learner
        if learner.training:  # asked, because to tell all its modules takes half a millisecond
            learner.eval()
        # Without the graph; a method that descends gradients to adapt switches them on.
        with torch.no_grad():
            if isinstance(self.support, MeasuredMolecules):
                self._value_predictor = _of_values(learner).adapt_values(self.support)
            elif self.has_both_classes:
                self._predictor = learner.adapt(self.support)

    def __reduce__(self) -> tuple[type[TargetModel], tuple[Any, ...]]:
        """Pickle what it was adapted from: adapting again gives the same bits."""
        return TargetModel, (self.checkpoint,)

    @classmethod
    def load(
        cls, path: Path, *, device: torch.device | str = "cpu", memory: bool = True
    ) -> TargetModel:
        """The target model at `path`, with or without the compound memory in it.

        Raises:
            CheckpointError: the file is refused, or holds a learner without a support set.
        """
        return cls(load_checkpoint(path, device=device, memory=memory))

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the learner and the support to one file.

        Raises:
            OutputError: the file cannot be written, or exists and `overwrite` is off.
        """
        save_checkpoint(path, self.checkpoint, overwrite=overwrite)

    @property
    def predicts_values(self) -> bool:
        """Whether it predicts values, and not classes."""
        return isinstance(self.support, MeasuredMolecules)

    @property
    def has_both_classes(self) -> bool:
        """Whether the support holds actives and inactives, so that there are probabilities."""
        return 0 < self.n_active < len(self.support)

    @property
    def n_active(self) -> int:
        """Actives among the support compounds; 0 where values are predicted."""
        return 0 if isinstance(self.support, MeasuredMolecules) else int(self.support.labels.sum())

    @property
    def n_bounds(self) -> int:
        """Support compounds of which only a bound is known; 0 where classes are predicted."""
        if isinstance(self.support, MeasuredMolecules):
            return int((self.support.relations != 0).sum())
        return 0

    @property
    def n_support_seen(self) -> int:
        """Support compounds that meta-training used, on some assay."""
        return len(self._seen_keys.find(self.support.molecules.keys.cpu())[0])

    def without_memory(self) -> TargetModel:
        """The same target, judged by structures alone."""
        learner = copy.copy(self.checkpoint.learner)
        learner.memory = None
        return TargetModel(replace(self.checkpoint, learner=learner))

    def of_support(self, places: Tensor) -> TargetModel:
        """The model of the support compounds at `places` [k] alone.

        Raises:
            SupportError: they are of values from which nothing can be learned.
        """
        smiles = self.checkpoint.support_smiles
        kept = tuple(smiles[place] for place in places.tolist()) if smiles else smiles
        support = self.support.gather(places)
        return TargetModel(replace(self.checkpoint, support=support, support_smiles=kept))

    @torch.inference_mode()
    def merits(self, molecules: MoleculeBatch) -> Tensor:
        """What ranks the molecules [n]: logit, value or, from actives alone, similarity; [n]."""
        if self._value_predictor is not None:
            return self._value_predictor(molecules).mean
        if self._predictor is not None:
            return self._predictor(molecules).logit
        return tanimoto(self.support.molecules, molecules).amax(0)

    @torch.inference_mode()
    def parts(self, molecules: MoleculeBatch) -> Parts | None:
        """What adds up to the merits of the molecules [n], the support in its own order.

        None where the method has no such sum.
        """
        parts = parts_of(self._value_predictor or self._predictor, molecules)
        return None if parts is None else parts.reordered(self._order.argsort())

    @torch.inference_mode()
    def joint(self, molecules: MoleculeBatch) -> Joint | None:
        """The belief about the molecules [n] at once; None where the method has none."""
        return joint_of(self._value_predictor or self._predictor, molecules)

    def score(self, texts: Sequence[object]) -> list[ScoredRow]:
        """One row for each text, in order.

        Args:
            texts: anything that `read_smiles` takes: SMILES or RDKit molecules.
        """
        return self._texts.score(texts, self._score_batch)

    def score_rows(self, rows: Sequence[Row]) -> list[ScoredRow]:
        """One row for each of a table, in order; what the file itself damaged is not looked at."""
        return in_place(rows, self.score([row.smiles for row in rows if row.problem is None]))

    @torch.inference_mode()
    def _score_batch(self, molecules: Sequence[tuple[str, Molecule]]) -> list[ScoredRow]:
        """A row a text and its molecule; status and reason tell of the score alone."""
        texts, read = zip(*molecules, strict=True)
        batch, places = featurize(read).to(self.support.molecules.device).distinct()
        predictor = self._value_predictor or self._predictor
        if isinstance(predictor, HeadPredictor) and batch.device.type == "cpu":
            embedded = replace(predictor.embed(batch), given=self._similarities(batch))
            scores = self.score_embedded(embedded)
        else:
            prediction = None if predictor is None else predictor(batch)
            similarity = tanimoto(self.support.molecules, batch).amax(0)
            scores = self._scores(batch.keys, prediction, similarity)
        return scores.at(places).rows(texts)

    def _similarities(self, molecules: MoleculeBatch) -> dict[PairKernel, Tensor]:
        """Those of the support with molecules [n] that a head may ask for."""
        counts = self.support_counts
        return Overlap(counts, PackedCounts.of(molecules, counts.kernel)).similarities(
            0, len(molecules)
        )

    @torch.inference_mode()
    def score_embedded(self, molecules: Embedded) -> Scores:
        """What the target's head says of molecules that are encoded already.

        Args:
            molecules: with the Tanimoto kernel to `head_support` given; the head may ask for it.
        """
        prediction = None if self._head is None else self._head(molecules)
        similarity = molecules.given[tanimoto].amax(0)
        return self._scores(molecules.molecules.keys, prediction, similarity)

    def _scores(
        self, keys: Tensor, prediction: Prediction | ValuePrediction | None, similarity: Tensor
    ) -> Scores:
        answers = {}
        if isinstance(prediction, ValuePrediction):
            low, high = prediction.interval()
            answers = {"value": prediction.mean, "low": low, "high": high}
        elif prediction is not None:
            reach = probability_reach(len(self.support))
            low, high = (torch.sigmoid(prediction.logit + end) for end in (-reach, reach))
            answers = {"logit": prediction.logit, "low": low, "high": high}
        if prediction is not None:
            answers["deviation"] = prediction.deviation
        in_support = self._support_keys.contains(keys)
        seen = self._seen_keys.contains(keys.cpu()).to(keys.device)
        return Scores(answers, similarity, in_support, seen)

    @property
    def head_support(self) -> MoleculeBatch:
        """The support compounds in the order in which the learner's head knows them."""
        return self.support.molecules.gather(self._order)

    @cached_property
    def support_counts(self) -> SupportCounts:
        """What is counted in `head_support`."""
        kernel = structural_kernel(self.checkpoint.learner)
        return SupportCounts.of(self.head_support, kernel, composition=self.predicts_values)

    @property
    def _order(self) -> Tensor:
        if isinstance(self.support, MeasuredMolecules):
            return in_fixed_order(self.support)
        return fixed_order(self.support)

    @property
    def _head(self) -> Head | ValueHead | None:
        predictor = self._value_predictor or self._predictor
        assert predictor is None or isinstance(predictor, HeadPredictor)
        return None if predictor is None else predictor.head

    @cached_property
    def _support_keys(self) -> KeySet:
        return KeySet(self.support.molecules.keys.sort().values)

    @cached_property
    def _seen_keys(self) -> KeySet:
        memory, seen = self.checkpoint.learner.memory, self.checkpoint.seen_keys.cpu()
        # As a rule both know the same compounds, which are then looked up once for both.
        is_same = memory is not None and torch.equal(memory.keys, seen)
        return memory.known if memory is not None and is_same else KeySet(seen)


def adapt_target(checkpoint: Checkpoint, support_set: SupportSet | MeasuredSupport) -> TargetModel:
    """The checkpoint's learner adapted to a user's measured compounds.

    Raises:
        SupportError: the support cannot teach the learner anything.
        ConfigError: the support is of values, and the learner predicts classes alone.
    """
    device = next((w.device for w in checkpoint.learner.parameters()), torch.device("cpu"))
    molecules = featurize(support_set.molecules).to(device)
    support: LabeledMolecules | MeasuredMolecules
    if isinstance(support_set, MeasuredSupport):
        support = MeasuredMolecules(
            molecules,
            torch.tensor(support_set.values, device=device),
            torch.tensor(support_set.relations, dtype=torch.int8, device=device),
        )
    else:
        support = LabeledMolecules(molecules, torch.tensor(support_set.labels, device=device))
    smiles = tuple(molecule.smiles for molecule in support_set.molecules)
    return TargetModel(replace(checkpoint, support=support, support_smiles=smiles))


def _of_values(learner: Learner) -> ValueLearner:
    if isinstance(learner, ValueLearner):
        return learner
    able = ", ".join(name for name, kind in LEARNERS.items() if issubclass(kind, ValueLearner))
    raise ConfigError(
        f"A {type(learner).__name__} predicts classes and no values: use a model of another method "
        f"({able}), or turn the values into classes with a threshold."
    )
