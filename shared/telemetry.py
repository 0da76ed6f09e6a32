"""Logs as JSON with trace and job ids, and traces that follow a request through outbox and broker."""

import logging
import secrets
import sys
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_SECRET_WORDS = ("password", "secret", "token", "authorization", "api_key", "cookie", "database_url", "rabbitmq_url")
_REDACTED = "[redacted]"
_LAST_EXPORT_SECONDS = 2.0
_propagator = TraceContextTextMapPropagator()


def configure_logging(service: str, level: str = "info") -> None:
    """Write every record, ours and the libraries', to standard output as one JSON object a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        _redact,
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(
                    serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
                ),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("botocore", "aiobotocore", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # shared.broker and shared.database say once what these say for each frame, channel and try to connect.
    for repeating in ("aiormq", "aio_pika", "asyncpg"):
        logging.getLogger(repeating).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def configure_tracing(service: str, endpoint: str | None) -> TracerProvider | None:
    """Export spans to an OTLP endpoint; without one nothing is recorded, but trace ids still travel."""
    if endpoint is None:
        return None
    # A tenth of the time that a service takes to start, and only who exports needs it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"diorama.{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider


def end_tracing(provider: TracerProvider | None) -> None:
    """Export what is left, for a bounded time: a collector that hangs shall not keep a process that is told to end."""
    if provider is None:
        return
    # Nobody waits at the exit for a thread of this kind.
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    ending.join(_LAST_EXPORT_SECONDS)


def tracer() -> trace.Tracer:
    """Give the tracer of the house."""
    return trace.get_tracer("diorama")


def current_traceparent() -> str | None:
    """Give the W3C `traceparent` of the span that is running, if one is."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def new_traceparent() -> str:
    """Begin a trace: where nothing is recorded, the ids still tie logs, messages and problems together."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def context_of(traceparent: str | None) -> Any:
    """Read a `traceparent` into a context that a span can have as its parent."""
    return _propagator.extract({"traceparent": traceparent} if traceparent else {})


def link_to(traceparent: str | None) -> list[trace.Link]:
    """Link a span to the one that said a message."""
    context = trace.get_current_span(context_of(traceparent)).get_span_context()
    return [trace.Link(context)] if context.is_valid else []


def trace_id_of(traceparent: str | None) -> str | None:
    """Give the trace id that a `traceparent` carries."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None  # noqa: PLR2004 - version, trace, parent, flags


def _add_trace(_logger: Any, _name: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        record.setdefault("trace_id", f"{context.trace_id:032x}")
    return record


def _redact(_logger: Any, _name: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in record.items():
        if any(word in key.lower() for word in _SECRET_WORDS):
            record[key] = _REDACTED
        elif isinstance(value, Mapping):
            record[key] = _redact(None, "", dict(value))
    return record
