"""Resonant sparse geometry networks: as published, sparse, tuned."""
