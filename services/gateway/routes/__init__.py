"""HTTP: the application that clients see."""

from fastapi import FastAPI

from services.gateway.routes import (
    accounts,
    api_keys,
    contracts,
    dead_letters,
    deliveries,
    edits,
    health,
    hints,
    images,
    importing,
    jobs,
    me,
    pauses,
    people,
    problems,
    receiving,
    resuming,
    retrying,
    review,
    scenes,
    search,
    sizes,
    sockets,
    streams,
    tickets,
    uploading,
    uploads,
    watching,
    webhooks,
    work,
)
from services.gateway.routes.dashboard import dashboard
from services.gateway.routes.docs import describe, docs
from services.gateway.routes.edge.door import Edge
from services.gateway.routes.edge.exchange import BodyLimits
from services.gateway.routes.operating import failures, queues, usage
from services.gateway.routes.parts import Parts
from services.gateway.routes.replies import API
from services.gateway.settings import VERSION
from services.gateway.uploads import FILES_LIMIT


def application(parts: Parts) -> Edge:
    """Build the application around a running gateway's parts."""
    app = FastAPI(
        title=parts.settings.project_name,
        version=VERSION,
        generate_unique_id_function=lambda route: route.name,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"logs": False, "operation_spans": False},
    )
    app.state.parts = parts
    for module in (
        work,
        importing,
        receiving,
        hints,
        scenes,
        jobs,
        accounts,
        retrying,
        resuming,
        streams,
        sockets,
        tickets,
        images,
        sizes,
        review,
        uploading,
        uploads,
        edits,
        search,
        people,
        me,
        api_keys,
        dead_letters,
        pauses,
        webhooks,
        deliveries,
        queues,
        failures,
        usage,
    ):
        # Side by side instead of nested, which would cost each request a search of its own.
        app.router.routes.extend(module.routes.routes)
    app.webhooks.routes.extend(webhooks.sent.routes)
    app.include_router(health.routes, prefix=API)
    app.include_router(health.routes, include_in_schema=False)
    app.include_router(contracts.routes)
    app.include_router(watching.router(parts.health))
    app.include_router(docs(app))
    problems.install(app)
    describe(app)
    board = dashboard(parts.settings.s3_public_endpoint_url or parts.settings.s3_endpoint_url)
    if board is not None:
        app.routes.append(board)
    limit_bytes = parts.settings.maximum_body_bytes
    form_bytes = FILES_LIMIT * parts.settings.maximum_upload_bytes + limit_bytes
    return Edge(app, parts.settings, BodyLimits(limit_bytes, {uploading.PATH: form_bytes}))
