"""The command line: everything that a person or a script does through the gateway, by HTTP and nothing else."""
