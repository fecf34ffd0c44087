"""What an encoder is made of."""

from dataclasses import dataclass

from molmeta.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Inputs, sizes and regularisation of a FusedEncoder; any input can be switched off."""

    graph: bool = True
    """Message passing over the molecular graph."""
    ecfp: bool = True
    """Folded ECFP4 counts."""
    descriptors: bool = True
    """Molecular quantum numbers."""
    graph_layers: int = 4
    graph_width: int = 96
    ecfp_bits: int = 2048
    """A power of two."""
    hidden: int = 512
    dim: int = 256
    """Length of the embedding."""
    dropout: float = 0.3
    """Of hidden units, while training."""
    input_dropout: float = 0.0
    """Of ECFP bits, while training."""
    view_dropout: float = 0.0
    """Chance that a training molecule loses its fingerprint and descriptors, so that the graph
    alone must carry it: fingerprints remember known compounds, graphs generalise better."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            ConfigError: no input is on, a size is not positive, a rate is outside 0..1.
        """
        if not (self.graph or self.ecfp or self.descriptors):
            raise ConfigError("An encoder needs at least one of graph, ecfp and descriptors.")
        for name in ("graph_layers", "graph_width", "ecfp_bits", "hidden", "dim"):
            if getattr(self, name) < 1:
                raise ConfigError(f"encoder.{name} must be at least 1, not {getattr(self, name)}.")
        if self.ecfp_bits & (self.ecfp_bits - 1):
            raise ConfigError(f"encoder.ecfp_bits must be a power of two, not {self.ecfp_bits}.")
        for name in ("dropout", "input_dropout", "view_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(
                    f"encoder.{name} must be at least 0 and below 1, not {getattr(self, name)}."
                )
