"""Support set to predictor: one file a method, all under the contract of `base`."""
