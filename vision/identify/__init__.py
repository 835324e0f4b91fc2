"""From embeddings to a decision: exact gallery search, fusion of looks, thresholds."""
