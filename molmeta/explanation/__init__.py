"""Why a compound has its score: the support compounds behind it, and its own atoms."""
