"""`make ctl`: the command line of the gateway, for the stack that runs here."""
