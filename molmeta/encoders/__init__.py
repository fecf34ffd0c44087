"""MoleculeBatch to vectors [n, dim]; each molecule from itself alone."""
