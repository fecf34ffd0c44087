"""Assays to a trained learner: configuration, the one outer loop, tuning."""
