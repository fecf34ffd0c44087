"""A learner too small to be good, and an assay to adapt it to, in place of the shipped model."""

import torch

from molmeta.assays.measured_support import MeasuredSupport, build_measured_support
from molmeta.assays.support import SupportSet, build_support
from molmeta.checkpoint import Checkpoint, Provenance
from molmeta.encoders.config import EncoderConfig
from molmeta.learners.registry import LEARNERS
from molmeta.learners.weighted_tanimoto import structural_kernel
from tests.molecules import key_of

ACTIVES = ("CC(=O)Nc1ccc(O)cc1", "CC(=O)Nc1ccc(F)cc1", "CCC(=O)Nc1ccc(O)cc1", "CC(=O)Nc1ccccc1")
INACTIVES = ("CCCCCC", "CCCCCCO", "CC(C)CCO", "CCCCCCN")
SUPPORT = ACTIVES + INACTIVES
LABELS = (1,) * len(ACTIVES) + (0,) * len(INACTIVES)
VALUES = ("5 nM", "12 nM", "0.2 uM", "60 nM", "> 10 uM", "3 uM", "> 10 uM", "8 uM")
"""Of SUPPORT: actives are potent."""
SEEN = "CC(=O)Nc1ccc(O)cc1"
"""One of ACTIVES, which the tiny model says it was meta-trained on."""

LIKE_ACTIVES = "CC(=O)Nc1ccc(Cl)cc1"
LIKE_INACTIVES = "CCCCCCCO"
UNLIKE_ALL = "FS(F)(F)(F)(F)F"


def tiny_checkpoint(learner: str = "deepkernel") -> Checkpoint:
    """An untrained learner, the same each time, with features of different weights."""
    torch.manual_seed(0)
    encoder = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)
    method = LEARNERS[learner]
    untrained = method(encoder, method.Config()).eval()
    kernel = structural_kernel(untrained)
    if kernel is not None:
        kernel.log_weights.copy_(torch.linspace(-1, 1, len(kernel.log_weights)))
    return Checkpoint(
        learner=untrained,
        provenance=Provenance(
            data="none", licence="none", data_sha256=(), seed=0, steps=0, code_version="0",
            created="never",
        ),
        metrics={},
        seen_keys=torch.tensor([key_of(SEEN)]),
    )  # fmt: skip


def support_set() -> SupportSet:
    """The assay of SUPPORT and LABELS."""
    return build_support(SUPPORT, LABELS)


def measured_set() -> MeasuredSupport:
    """The assay of SUPPORT and VALUES."""
    return build_measured_support(SUPPORT, VALUES)
