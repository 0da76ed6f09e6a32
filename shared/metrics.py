"""Prometheus metrics of speaking and working. One prefix, base units."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

OUTBOX_DEPTH = Gauge("diorama_outbox_messages", "Messages said and not yet published")
OUTBOX_OLDEST = Gauge("diorama_outbox_oldest_age_seconds", "Age of the oldest message not yet published")
PUBLISHED = Counter("diorama_messages_published_total", "Messages confirmed by the broker", ["type"])
PUBLISH_FAILURES = Counter("diorama_publish_failures_total", "Publishes that will be repeated", ["reason"])
HEARD = Counter("diorama_messages_heard_total", "Messages taken in", ["type"])
DUPLICATES = Counter("diorama_messages_duplicate_total", "Repeated messages absorbed by the inbox")
EFFECT_DELAY = Histogram(
    "diorama_message_effect_delay_seconds", "From the moment a message was said to its effect", buckets=_SECONDS
)
DEAD_LETTERS = Counter("diorama_dead_letters_total", "Messages set aside", ["code"])
CONSUMER_UP = Gauge("diorama_consumer_up", "1 while this process hears its queue")
TASKS = Gauge("diorama_tasks", "Tasks by kind and state", ["kind", "state"])
RUNNING = Gauge("diorama_tasks_running", "Tasks that this process runs")
JOBS_ENDED = Counter("diorama_jobs_ended_total", "Attempts by how they ended", ["kind", "outcome"])
JOB_SECONDS = Histogram("diorama_job_duration_seconds", "How long an attempt ran", ["kind"], buckets=_SECONDS)
LEASES_LOST = Counter("diorama_leases_lost_total", "Leases that this process lost while it worked")
LEASES_TAKEN_OVER = Counter("diorama_leases_expired_total", "Expired leases that this process found")
