"""Pure decisions of the gateway: no I/O, no await."""
