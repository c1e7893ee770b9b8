"""One adapter per peer: functions of a `Workload` that return a `Result`, each run in a process of its own."""
