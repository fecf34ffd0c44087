"""Packed counts against the Tanimoto similarity of the arrays that they were packed from."""

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.composition import composition_distance
from molmeta.chem.similarity import tanimoto
from molmeta.learners.overlap import Overlap, PackedCounts, SupportCounts, word_dtype
from molmeta.learners.weighted_tanimoto import WeightedTanimoto


def test_similarities_are_exactly_those_of_the_unpacked_counts(batch: MoleculeBatch) -> None:
    support = batch.gather(torch.tensor([3, 40, 3, 77, 120]))
    overlap = Overlap(SupportCounts.of(support, None), PackedCounts.of(batch, None))
    assert torch.equal(overlap.similarities(0, len(batch))[tanimoto], tanimoto(support, batch))


def test_distances_in_composition_are_those_of_the_quantum_numbers(batch: MoleculeBatch) -> None:
    support, some = batch.gather(torch.tensor([3, 40, 3, 77])), batch.gather(torch.arange(10, 60))
    counts = SupportCounts.of(support, None, composition=True)
    found = Overlap(counts, PackedCounts.of(batch, None)).similarities(10, 60)
    distances = found[composition_distance]
    torch.testing.assert_close(distances, composition_distance(support, some), rtol=0, atol=1e-3)
    assert torch.equal(found[tanimoto], tanimoto(support, some))


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 17), (30, 31)])
def test_a_stretch_has_the_similarities_of_the_whole(
    batch: MoleculeBatch, start: int, end: int
) -> None:
    support = batch.gather(torch.arange(50, 60))
    overlap = Overlap(SupportCounts.of(support, None), PackedCounts.of(batch, None))
    whole = overlap.similarities(0, len(batch))[tanimoto]
    assert torch.equal(overlap.similarities(start, end)[tanimoto], whole[:, start:end])


def test_molecules_that_share_no_environment_with_the_support_have_similarity_0(
    batch: MoleculeBatch,
) -> None:
    support, others = batch.gather(torch.tensor([0])), batch.gather(torch.arange(1, 20))
    strange = MoleculeBatch(**{**support.tensors(), "ecfp_ids": support.ecfp_ids ^ 0x5BD1E995})
    overlap = Overlap(SupportCounts.of(strange, None), PackedCounts.of(others, None))
    assert not overlap.similarities(0, 19)[tanimoto].any()


def test_a_word_takes_two_bytes_while_they_can_name_all() -> None:
    assert (word_dtype(65_536), word_dtype(65_537)) == (torch.uint16, torch.int32)


def test_a_vocabulary_of_many_words_keeps_every_similarity(batch: MoleculeBatch) -> None:
    # 90 molecules of 1,000 ids each, none shared by two.
    ids = torch.arange(90_000, dtype=torch.int32)
    many = MoleculeBatch(
        **{
            **batch.gather(torch.arange(90)).tensors(),
            "ecfp_offsets": torch.arange(0, 90_001, 1_000),
            "ecfp_ids": ids,
            "ecfp_counts": torch.full((90_000,), 3, dtype=torch.uint8),
        }
    )
    packed = PackedCounts.of(many, None)
    assert packed.words.dtype == torch.int32
    overlap = Overlap(SupportCounts.of(many.gather(torch.tensor([7, 80])), None), packed)
    expected = torch.zeros(2, 90)
    expected[0, 7] = expected[1, 80] = 1.0
    assert torch.equal(overlap.similarities(0, 90)[tanimoto], expected)


def test_weighted_similarities_are_those_of_the_kernel(batch: MoleculeBatch) -> None:
    kernel = WeightedTanimoto()
    kernel.log_weights.copy_(torch.linspace(-2, 2, len(kernel.log_weights)))
    support = batch.gather(torch.tensor([3, 40, 3, 77, 120]))
    overlap = Overlap(SupportCounts.of(support, kernel), PackedCounts.of(batch, kernel))
    found = overlap.similarities(10, 60)
    some = batch.gather(torch.arange(10, 60))
    assert torch.equal(found[tanimoto], tanimoto(support, some))
    torch.testing.assert_close(found[kernel], kernel(support, some), rtol=1e-5, atol=1e-6)
