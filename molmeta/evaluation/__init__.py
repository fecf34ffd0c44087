"""Predictor to numbers: metrics and the protocols that draw support and query."""
