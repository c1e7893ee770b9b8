"""Networks whose neurons live in space."""
