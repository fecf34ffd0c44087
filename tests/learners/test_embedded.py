"""Kernels that are computed once for all draws of a task against those of each draw."""

import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import tanimoto
from molmeta.encoders.config import EncoderConfig
from molmeta.learners import base
from molmeta.learners.base import Embedded
from molmeta.learners.deepkernel import DeepKernel, DeepKernelConfig
from molmeta.learners.memory import CompoundMemory

ENCODER = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)


@pytest.mark.parametrize("rows", [7, 256])  # in parts, the last one shorter, and as a whole
def test_a_table_holds_the_kernel_between_the_gathered_molecules(
    drugs: MoleculeBatch, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(base, "_TABLE_ROWS", rows)
    whole = Embedded(torch.zeros(len(drugs), 1), drugs).tabulated()
    left, right = whole.gather(torch.tensor([5, 2, 40])), whole.gather(torch.arange(30, 50))
    nested = right.gather(torch.tensor([3, 3, 0]))
    for others in (right, nested):
        expected = tanimoto(left.molecules, others.molecules)
        assert torch.equal(left.pairs(tanimoto, others), expected)


def test_a_kernel_is_computed_once_for_all_parts(drugs: MoleculeBatch) -> None:
    calls = []

    def counted(left: MoleculeBatch, right: MoleculeBatch) -> torch.Tensor:
        calls.append(len(left))
        return tanimoto(left, right)

    whole = Embedded(torch.zeros(len(drugs), 1), drugs).tabulated()
    for start in range(4):
        whole.gather(torch.arange(start, 20)).pairs(counted, whole.gather(torch.arange(20, 40)))
    assert sum(calls) == len(drugs)


def test_products_with_vectors_in_half_precision_are_those_with_their_floats(
    drugs: MoleculeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_CACHED", 40)  # in parts, the last one shorter
    support = Embedded(torch.randn(5, 16).double(), drugs.gather(torch.arange(5)))
    halves = torch.randn(len(drugs), 16).half()
    found = support.products(Embedded(halves, drugs))
    assert found.dtype == torch.float32
    expected = support.vectors.float() @ halves.float().T
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_parts_of_different_tasks_have_no_table_in_common(drugs: MoleculeBatch) -> None:
    rows = torch.arange(10)
    one = Embedded(torch.zeros(len(drugs), 1), drugs).tabulated().gather(rows)
    flipped = Embedded(torch.zeros(len(drugs), 1), drugs.gather(torch.arange(96, -1, -1)))
    for other in (flipped, flipped.tabulated()):
        part = other.gather(rows)
        assert torch.equal(one.pairs(tanimoto, part), tanimoto(one.molecules, part.molecules))


def test_a_deep_kernel_with_a_memory_predicts_the_same_from_a_table(store: AssayStore) -> None:
    learner = DeepKernel(ENCODER, DeepKernelConfig()).eval()
    learner.memory = CompoundMemory.of(store)
    task = store.tasks[0]
    plain = learner.embed(store.molecules.gather(task.molecules))
    support, query = torch.arange(0, 24), torch.arange(24, len(task))
    found = []
    with torch.no_grad():
        for whole in (plain, plain.tabulated()):
            head = learner.fit_head(whole.gather(support), task.labels[support])
            found.append(head(whole.gather(query)))
    torch.testing.assert_close(found[1].logit, found[0].logit, rtol=0, atol=1e-6)
    torch.testing.assert_close(found[1].deviation, found[0].deviation, rtol=0, atol=1e-6)


def test_pairs_of_a_huge_task_are_not_kept(
    drugs: MoleculeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_LARGEST_TABLE", len(drugs) - 1)
    assert Embedded(torch.zeros(len(drugs), 1), drugs).tabulated().table is None
