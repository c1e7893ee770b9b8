"""Hardware profiles, one TOML file each, every number with its provenance and source."""
