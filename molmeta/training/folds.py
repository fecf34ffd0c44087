"""Whether meta-valid is apart from meta-train: on assays that were trained on, all models shine."""

from molmeta.assays.leakage import leaks_between, shared_assays
from molmeta.assays.store import AssayStore
from molmeta.errors import InputError


def check_folds(train: AssayStore, valid: AssayStore, *, allow_overlap: bool = False) -> str:
    """What the folds share, in a sentence.

    Molecules may be shared: a compound measured on another target says little about this one, and
    two fifths of the molecules of FS-Mol's meta-valid fold occur in its meta-train fold.

    Args:
        train: meta-train assays.
        valid: meta-valid assays.
        allow_overlap: whether assays may be shared too.

    Raises:
        InputError: an assay is in both, by its id or by its molecules and labels.
    """
    leak = leaks_between({"valid": valid, "train": train}, stereo=False)["valid", "train"]
    n = leak.n_shared_assays
    if n and not allow_overlap:
        raise InputError(
            f"{n} of the {leak.n_assays} meta-valid assays {'is' if n == 1 else 'are'} in "
            f"meta-train too: {shared_assays(leak)}. Scores on them would look better than they "
            "are: leave them out of one of the two, or accept that with --allow-overlap."
        )
    return (
        f"Meta-train has {len(leak.molecules):,} of the {leak.n_molecules:,} meta-valid molecules "
        f"and {n or 'none'} of the {leak.n_assays} meta-valid assays."
    )
