"""Rate-coded models, and yardsticks, on the same spaces and data."""
