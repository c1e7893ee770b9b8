"""Spiking networks: `SpSNN`, its integers on a chip, and networks of local connections."""
