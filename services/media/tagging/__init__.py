"""Who says what a picture shows: a model on this machine, or a service that is asked.

Nothing is gathered here: the limited child imports `classifying`, and should not read what speaks to the network.
"""
