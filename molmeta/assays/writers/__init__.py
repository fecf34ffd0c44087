"""Rows to the bytes of a file: one writer for each format, chosen in `assays.outputs`."""
