"""A library read once: what a model needs of each molecule, ready for any target."""
