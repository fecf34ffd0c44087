"""Labelled molecules to episodes: the user's tables, assays on disk, and the draws from them."""
