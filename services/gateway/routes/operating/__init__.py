"""What operators look after: queues, processes, failures by reason, and how much is done for whom."""
