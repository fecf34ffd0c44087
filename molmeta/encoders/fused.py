"""FusedEncoder: graph network, fingerprint and descriptors of a molecule in one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import folded_counts
from molmeta.chem.vocabulary import N_DESCRIPTORS
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend, GraphNetwork
from molmeta.encoders.inference import fingerprint_states, graph_vectors


class FusedEncoder(nn.Module):
    """MoleculeBatch to [n, dim]: each input is projected, the projections are added and mixed."""

    descriptor_mean: Tensor
    descriptor_scale: Tensor

    def __init__(self, config: EncoderConfig, backend: Backend = "torch") -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        if config.graph:
            width = config.graph_width
            self.graph = GraphNetwork(width, config.graph_layers, backend)
            self.from_graph = nn.Linear(2 * width, hidden)
        if config.ecfp:
            self.from_ecfp = nn.Linear(config.ecfp_bits, hidden)
        if config.descriptors:
            self.register_buffer("descriptor_mean", torch.zeros(N_DESCRIPTORS))
            self.register_buffer("descriptor_scale", torch.ones(N_DESCRIPTORS))
            self.from_descriptors = nn.Linear(N_DESCRIPTORS, hidden)
        self.mix = nn.Sequential(
            nn.LayerNorm(hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, hidden),
            nn.LayerNorm(hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, config.dim),
        )

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self.config.dim

    def fit_inputs(self, molecules: MoleculeBatch) -> None:
        """Set the scale of the descriptors from the meta-train molecules; once, before training."""
        if self.config.descriptors:
            values = torch.log1p(molecules.descriptors.float())
            self.descriptor_mean.copy_(values.mean(0))
            self.descriptor_scale.copy_(values.std(0).clamp(min=1e-3))

    def forward(self, molecules: MoleculeBatch) -> Tensor:
        """The embedding of each molecule, from itself alone: [n, dim]."""
        return self.embedding_of(self.last_states(molecules))

    def embedding_of(self, states: Tensor) -> Tensor:
        """The embedding that belongs to last hidden states [n, hidden]: [n, dim]."""
        embedding: Tensor = self.mix[-1](states)
        return embedding

    def last_states(self, molecules: MoleculeBatch) -> Tensor:
        """The last hidden states, of which the embedding is a linear function: [n, hidden]."""
        config = self.config
        in_inference = not (self.training or torch.is_grad_enabled())
        fixed: list[Tensor] = []
        if config.ecfp and in_inference:
            fixed.append(fingerprint_states(self.from_ecfp, molecules))
        elif config.ecfp:
            counts = torch.log1p(folded_counts(molecules, config.ecfp_bits))
            if self.training and config.input_dropout:
                counts = nn.functional.dropout(counts, config.input_dropout)
            fixed.append(self.from_ecfp(counts))
        if config.descriptors:
            values = torch.log1p(molecules.descriptors.float())
            scaled = (values - self.descriptor_mean) / self.descriptor_scale
            fixed.append(self.from_descriptors(scaled.clamp(-5, 5)))
        h = torch.stack(fixed).sum(0) if fixed else torch.zeros(())
        if config.graph:
            if fixed and self.training and config.view_dropout:
                kept = torch.rand(len(molecules), 1, device=h.device) >= config.view_dropout
                h = h * kept
            read = graph_vectors(self.graph, molecules) if in_inference else self.graph(molecules)
            h = h + self.from_graph(read)
        *layers, _ = self.mix
        for layer in layers:
            h = layer(h)
        return h
