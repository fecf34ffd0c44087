"""The in-context transformer against PyTorch's own attention and hand numbers."""

import math

import pytest
import torch
from torch import nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.incontext import ContextLayer, InContext, InContextConfig, pair_similarities

TINY = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)


def embedded(learner: InContext, batch: MoleculeBatch, start: int, end: int) -> Embedded:
    with torch.no_grad():
        return learner.embed(batch.gather(torch.arange(start, end)))


def test_a_layer_is_multi_head_attention_with_the_similarities_in_its_mask() -> None:
    layer = ContextLayer(width=12, heads=3)
    tokens, support, similarities = torch.randn(5, 12), torch.randn(9, 12), torch.rand(2, 5, 9)
    reference = nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        projections = (layer.queries, layer.keys_values)
        reference.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        reference.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
        reference.out_proj.load_state_dict(layer.mix.state_dict())
        mask = torch.stack(
            [
                layer.slopes[0, head] * similarities[0] + layer.slopes[1, head] * similarities[1]
                for head in range(3)
            ]
        )
        normed = layer.norm(support)[None]
        read, _ = reference(layer.norm(tokens)[None], normed, normed, attn_mask=mask)
        between = tokens + read[0]
        expected = between + layer.feed_forward(between)
        torch.testing.assert_close(layer(tokens, support, similarities), expected)


def test_slopes_start_at_powers_of_two() -> None:
    slopes = ContextLayer(width=8, heads=4).slopes
    torch.testing.assert_close(slopes.data, torch.tensor([[8.0, 4, 2, 1], [8.0, 4, 2, 1]]))


def test_one_relative_is_not_drowned_by_strangers() -> None:
    layer = ContextLayer(width=4, heads=4)
    with torch.no_grad():
        layer.queries.weight.zero_()
        layer.queries.bias.zero_()
        layer.keys_values.weight.zero_()
        layer.keys_values.weight[4:] = torch.eye(4)  # values are the normed tokens themselves
        layer.keys_values.bias.zero_()
        layer.mix.load_state_dict({"weight": torch.eye(4), "bias": torch.zeros(4)})
        for parameter in layer.feed_forward[-1].parameters():
            parameter.zero_()
        # One head a column. The relative (similarity 0.8) has 1 or -1 there, 255 strangers (0.2)
        # the opposite.
        relative = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
        support = torch.cat([relative, -relative.expand(255, 4)])
        similarities = torch.full((2, 1, 256), 0.2)
        similarities[:, 0, 0] = 0.8
        read = layer(torch.zeros(1, 4), support, similarities)[0] * relative[0]
    for head, slope in enumerate((8.0, 4.0, 2.0, 1.0)):
        share = 1 / (1 + 255 * math.exp(-2 * slope * 0.6))
        assert read[head].item() == pytest.approx(2 * share - 1, abs=1e-4)
    assert read[0] > 0.95
    assert read[3] < -0.9


def test_similarities_are_one_between_a_molecule_and_itself(batch: MoleculeBatch) -> None:
    learner = InContext(TINY, InContextConfig()).eval()
    support, query = embedded(learner, batch, 0, 12), embedded(learner, batch, 9, 14)
    similarities = pair_similarities(support, query)
    assert similarities.shape == (2, 5, 12)
    torch.testing.assert_close(similarities[:, [0, 1, 2], [9, 10, 11]], torch.ones(2, 3))
    assert (similarities <= 1 + 1e-6).all()
    assert similarities[0, 3].max() < 1


def test_the_order_of_the_support_means_nothing_to_the_head(batch: MoleculeBatch) -> None:
    learner = InContext(TINY, InContextConfig(layers=3)).eval()
    support, query = embedded(learner, batch, 0, 12), embedded(learner, batch, 12, 40)
    labels = (torch.arange(12) % 3 == 0).float()
    order = torch.randperm(12)
    with torch.no_grad():
        expected = learner.fit_head(support, labels)(query).logit
        shuffled = learner.fit_head(support.gather(order), labels[order])(query).logit
    torch.testing.assert_close(shuffled, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("settings", [{"layers": 0}, {"heads": 0}, {"width": 126}])
def test_sizes_that_make_no_transformer_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"learner.{next(iter(settings))}"):
        InContextConfig(**settings)
