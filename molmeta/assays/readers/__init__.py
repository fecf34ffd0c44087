"""Bytes of a user's file to records: one reader for each format, chosen in `assays.tables`."""
