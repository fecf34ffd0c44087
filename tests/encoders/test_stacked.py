"""Weights of each task in one pass against one pass a task."""

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.encoders.stacked import Rows, encode_stacked

SMALL = EncoderConfig(graph_layers=2, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.0)


def test_rows_stand_behind_the_longest_of_each_task_before() -> None:
    rows = Rows.of(torch.tensor([2, 3, 1]))
    assert rows.longest == 3
    assert rows.task.tolist() == [0, 0, 1, 1, 1, 2]
    assert rows.place.tolist() == [0, 1, 3, 4, 5, 6]


@pytest.mark.parametrize("sizes", [[5], [4, 1, 9], [1, 1]])
def test_each_task_gets_what_its_own_weights_give(sizes: list[int], drugs: MoleculeBatch) -> None:
    encoders = [FusedEncoder(SMALL).eval() for _ in sizes]
    for encoder in encoders:
        for parameter in encoder.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    weights = {
        name: torch.stack([dict(one.named_parameters())[name].detach() for one in encoders])
        for name, _ in encoders[0].named_parameters()
    }
    molecules = drugs.gather(torch.arange(sum(sizes)))
    together = encode_stacked(encoders[0], weights, molecules, sizes)
    with torch.no_grad():
        assert torch.equal(encode_stacked(encoders[0], weights, molecules, sizes), together)
    parts = torch.arange(sum(sizes)).split(sizes)
    alone = [
        one(molecules.gather(rows)).detach() for one, rows in zip(encoders, parts, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)
    if len(sizes) > 1:
        assert not torch.allclose(together, encoders[0](molecules).detach(), atol=1e-2)
