"""Tables of results: each is a fixed YAML file of a base configuration and rows, run by ``spsnn reproduce``."""

from spsnn.tables.plan import Row, Run, Table, read_table, shipped_tables

__all__ = ["Row", "Run", "Table", "read_table", "shipped_tables"]
