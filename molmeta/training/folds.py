"""Whether meta-valid is fit to judge: apart from meta-train, and large enough."""

from molmeta.assays.episodes import official_draw
from molmeta.assays.leakage import leaks_between, shared_assays
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError, InputError


def check_folds(train: AssayStore, valid: AssayStore, *, allow_overlap: bool = False) -> str:
    """What the folds share, in a sentence: on assays that were trained on, all models shine.

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


def require_draws(valid: AssayStore, support_sizes: tuple[int, ...]) -> None:
    """Refuse validation assays that would give no number after hours of training.

    Raises:
        ConfigError: no assay can be drawn at any of the sizes.
    """
    for task in valid:
        for size in support_sizes:
            if official_draw(task.labels, size, 0) is not None:
                return
    raise ConfigError(
        f"No validation assay has enough actives and inactives for a support of {support_sizes}: "
        "lower training.validation_support_sizes or give larger assays."
    )
