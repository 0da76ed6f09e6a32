"""The only SQL of the gateway: functions named by SQL verb, with the connection passed in."""
