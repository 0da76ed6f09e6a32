"""The operators' hands on the command line: jobs, dead letters and pauses, through the gateway."""
