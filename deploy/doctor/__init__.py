"""One line for each part of a running stack: whether it is well, and what to do where it is not."""
