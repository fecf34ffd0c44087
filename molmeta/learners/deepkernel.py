"""Deep-kernel Gaussian process: a closed-form head on a learned and a structural kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.composition import composition_distance
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.assay_fit import AssayFit, Prior
from molmeta.learners.base import Embedded
from molmeta.learners.gaussian_process import (
    ClassHead,
    KernelLearner,
    Process,
    Term,
    ValuesHead,
)
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.parts import COMPOSITION, FINGERPRINT, LEARNED, SHARED
from molmeta.learners.resemblance import Resemblance
from molmeta.learners.setting import Setting
from molmeta.learners.situation import Settings, settings_in, situation, situational
from molmeta.learners.tobit import posterior
from molmeta.learners.unlikeness import Unlikeness
from molmeta.learners.value_scale import ValueScale
from molmeta.learners.weighted_tanimoto import WeightedTanimoto

_REACH = 8.0
"""Distance in composition over which values of a smooth property vary together."""
_WEIGHTS = ("linear", "rbf", "tanimoto", "memory", "composition", "level")
"""The settings that are variances."""
_OF_CLASSES = ("scale", "spread", "prior", "unlike")
"""The settings that values have no use for."""
_ELSEWHERE, _VALUES_ELSEWHERE = 0.75, 0.5
"""How far what a memory knows from elsewhere is left out (see `absence`): measured on assays of
other kinds, because meta-train has hardly any that it misleads in (see benchmarks/NOTES.md)."""
_DOUBT, _VARY, _TRUST = 1.9, 2.25, 3.4
"""How far an assay may be from the usual (see `Prior`): wide, and not fitted, because assays of
meta-train, all of them of activity, are more alike than assays are."""
_COMPOSITION = (math.log(0.5), 0, 0, 0, 0, -2)
"""Coefficients of the weight of the kernel on composition, not fitted for the same reason: 50 times
as large for compounds that have little in common as for a series of analogues, because who measures
such compounds together often measures a property of them all (see benchmarks/NOTES.md)."""


@dataclass(frozen=True, slots=True)
class DeepKernelConfig:
    """Settings of a DeepKernel: the values that meta-training starts from."""

    linear: float = 0.5
    """Initial weight of the cosine kernel on the embedding; 0 leaves it out for good."""
    rbf: float = 0.5
    """Initial weight of the Gaussian kernel on the normalised embedding; 0 leaves it out."""
    tanimoto: float = 1.0
    """Initial weight of the WeightedTanimoto kernel on structures; 0 leaves it out."""
    noise: float = 1.0
    """Initial variance of the label noise; labels are -1 and 1."""
    memory: float = 3.0
    """Initial weight of the compound memory's kernel, where there is a memory."""
    memory_mean: float = 1.0
    """Initial factor from a known compound's mean meta-train grade, -1..1, to its prior mean."""
    resemblance: float = 0.5
    """Initial factor of what the assays that agree with the support said of a known compound."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a kernel.

        Raises:
            ConfigError: a negative weight, no kernel at all, or no noise.
        """
        weights = (self.linear, self.rbf, self.tanimoto)
        if min(weights) < 0 or sum(weights) == 0:
            raise ConfigError("A deep kernel needs weights of at least 0, one of them above 0.")
        for name in ("noise", "memory", "memory_mean", "resemblance"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"learner.{name} must be above 0, not {getattr(self, name)}.")


class DeepKernel(KernelLearner[Settings]):
    """Gaussian process regression on the labels -1 and 1 (Patacchiola et al. 2020, "DKT").

    k = w1·cos(u, u') + w2·exp(-|u - u'|²/2ℓ²) + w3·T, u the embedding at unit length and T the
    WeightedTanimoto of structures;
    mean f = m + k(q, S)(K + σ²I)⁻¹(y - m), with m the shrunken mean label (Rasmussen & Williams
    2006, eq. 2.25 and 2.26). To f is added what unlikeness takes (see `Unlikeness`). A compound
    memory, where there is one, adds its kernel to k, its mean to m, and to f what the assays said
    that the support resembles. Departures: kernel weights, noise and output scale are meta-learned,
    each as a function of the support (see `situation`), so that the mixture follows its size and
    how much of it is known; and the loss is the cross-entropy of s·f/√(1 + c·var f), the probit's
    shape (eq. 3.82), which makes the output a calibrated log odds without a calibration set.

    Of values, on the `ValueScale` of the support, the same with settings of their own; to k are
    added a constant, for what a few values leave open about the assay's level, and w4·exp(-d/128),
    d the `composition_distance`, in which solubility and its like are smooth and potency is not, so
    that classes do not gain by it. What is active is wanted, and of a value nobody knows which end
    is: nothing is taken for unlikeness. The memory is asked for heights in place of grades. Bounds
    enter by what they exclude (see `tobit`). Noise, w4 and the size of all variances are the
    assay's own (see `AssayFit`).
    """

    Config = DeepKernelConfig

    def __init__(
        self, encoder: EncoderConfig, config: DeepKernelConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        start = {"length": 0.7, "scale": 2.0, "spread": 0.5, "prior": 2.0, "sharpness": 1.0}
        start["unlike"] = 0.4
        of_config = ("noise", "memory", "memory_mean", "resemblance")
        start |= {name: getattr(config, name) for name in of_config}
        weights = {"linear": config.linear, "rbf": config.rbf, "tanimoto": config.tanimoto}
        self.kernel_names = tuple(name for name, weight in weights.items() if weight > 0)
        start |= {name: weights[name] for name in self.kernel_names}
        self.fingerprint = WeightedTanimoto()
        self.settings = situational(start)
        shared = {name: start[name] for name in start if name not in _OF_CLASSES}
        of_values = {"level": 2.0, "width": 1.0, "upright": 2.0}
        self.value_settings = situational(shared | of_values)
        fixed = Setting(torch.tensor(_COMPOSITION), requires_grad=False)
        self.value_settings["composition"] = fixed

    def settings_for(
        self, support: Embedded, settings: nn.ParameterDict, elsewhere: float
    ) -> Settings:
        """Each of `settings`, the classes' or the values', as this support has it."""
        similarity = support.pairs(self.fingerprint, support).detach()
        return settings_in(
            situation(support.molecules, self.memory, similarity, elsewhere), settings
        )

    def terms(
        self, support: Embedded, other: Embedded, now: Settings, memory: CompoundMemory | None
    ) -> list[Term]:
        """What the kernel between support and other molecules is the sum of."""
        cosine = support.products(other)

        def weight(name: str) -> Tensor:
            return now[name].to(cosine)

        terms = []
        if "linear" in self.kernel_names:
            terms.append(Term(LEARNED, weight("linear"), cosine))
        if "rbf" in self.kernel_names:
            rbf = torch.exp((cosine - 1) / weight("length") ** 2)
            terms.append(Term(LEARNED, weight("rbf"), rbf))
        if "tanimoto" in self.kernel_names:
            similarity = support.pairs(self.fingerprint, other).to(cosine)
            terms.append(Term(FINGERPRINT, weight("tanimoto"), similarity))
        if memory is not None:
            shared = support.pairs(memory.kernel, other).to(cosine)
            terms.append(Term(SHARED, weight("memory"), shared))
        if "composition" in now:
            distance = support.pairs(composition_distance, other).to(cosine)
            near = torch.exp(-distance / (2 * _REACH**2))
            terms.append(Term(COMPOSITION, weight("composition"), near))
        return terms

    def own_kernel(
        self, molecules: MoleculeBatch, now: Settings, memory: CompoundMemory | None
    ) -> Tensor:
        """Kernel between each molecule and itself: [n], or [] where it is the same for all."""
        # Every kernel but the memory's is 1 between a molecule and itself.
        names = [*self.kernel_names, "composition"]
        own = torch.stack([now[name] for name in names if name in now]).sum()
        if memory is None:
            return own
        return own + now["memory"] * memory.own(molecules)

    def memory_factor(self, now: Settings) -> Tensor:
        """From a known compound's mean grade to its prior mean: []."""
        return now["memory_mean"]

    def resemblance(
        self,
        support: MoleculeBatch,
        targets: Tensor,
        now: Settings,
        memory: CompoundMemory | None,
    ) -> Resemblance | None:
        """The meta-train assays that agree with `targets` [n_support]; None without a memory."""
        if memory is None:
            return None
        strength, sharpness = now["resemblance"], now["sharpness"]
        upright = now.get("upright")
        return Resemblance.of(memory, support, targets, strength, sharpness, upright)

    def fit_head(self, support: Embedded, labels: Tensor) -> CalibratedHead:
        """The posterior given the support; labels [n_support], 1 active, 0 inactive."""
        # The kernel on structures sets the settings first, and is a part of the process then.
        support = support.tabulated()
        now = self.settings_for(support, self.settings, _ELSEWHERE)
        memory = self.memory
        signs = 2 * labels.double() - 1
        targets = signs - self.prior_mean(support.molecules, now, memory)
        average = targets.sum() / (len(labels) + now["prior"])
        measured, noise = torch.zeros_like(targets), now["noise"]
        kernel = self.kernel(support, support, now, memory)
        fitted = posterior(kernel, targets - average, measured, noise)
        alike = self.resemblance(support.molecules, signs - signs.mean(), now, memory)
        level = torch.zeros_like(average)
        unlike = Unlikeness.of(fitted, now["unlike"])
        process = Process(self, support, now, memory, fitted, noise, average, level, alike, unlike)
        return CalibratedHead(process)

    def fit_value_head(self, support: Embedded, values: Tensor, relations: Tensor) -> ValuesHead:
        """The posterior given values [n_support] that differ, and their relations to the truth."""
        support = support.tabulated()
        now = self.settings_for(support, self.value_settings, _VALUES_ELSEWHERE)
        memory = self.memory_of_values
        scale = ValueScale.of(values)
        shrunk = scale.shrink(values)
        alike = self.resemblance(support.molecules, shrunk, now, memory)
        if alike is not None:
            now = {**now, "memory_mean": now["memory_mean"] * alike.direction}
        targets = shrunk - self.prior_mean(support.molecules, now, memory)
        # The last term is that of the composition.
        *usually, optional = (
            term.weight * term.kernel for term in self.terms(support, support, now, memory)
        )
        usual = now["level"] + torch.stack(usually).sum(0)
        points = relations == 0
        prior = Prior(now["noise"], _DOUBT, _VARY, _TRUST)
        own = AssayFit.of(
            usual[points][:, points], optional[points][:, points], targets[points], prior
        )
        now = {name: now[name] * own.scale if name in _WEIGHTS else now[name] for name in now}
        now["composition"] = now["composition"] * own.weight
        level, noise = now["level"], own.scale * own.noise
        kernel = own.scale * (usual + own.weight * optional)
        fitted = posterior(kernel, targets, relations, noise)
        average = torch.zeros_like(level)
        process = Process(
            self, support, now, memory, fitted, noise, average, level, alike, unlike=None
        )
        return ValuesHead(process, scale, now["width"])


@dataclass(frozen=True, slots=True)
class CalibratedHead(ClassHead):
    """What the process says of classes, on a scale that was learned."""

    def scale(self, variance: Tensor) -> Tensor:
        """s/√(1 + c·var f), s and c as the support has them: [n]."""
        now = self.process.now
        spread = torch.sqrt(1 + now["spread"] * variance)
        scale: Tensor = now["scale"] / spread
        return scale
