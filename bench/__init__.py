"""Takes a scenario and returns what happened: protocols, simulator, faults, workloads and the command line."""
