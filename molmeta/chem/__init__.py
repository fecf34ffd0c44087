"""Text to molecule to arrays: the intake, the features, and the batch that the rest works on."""
