"""The stack that the environment names: its folder, and what of it already runs elsewhere."""

from collections.abc import Callable, Sequence

from deploy.local.servers import Outside
from deploy.local.settings import Settings, passed_on
from deploy.local.stack import Ready, Stack


def own_stack(settings: Settings, services: Sequence[str], report: Callable[[Ready], None]) -> Stack:
    """Put the stack of these settings together; `report` is told of each part as it becomes ready."""
    outside = Outside(
        database_admin_url=settings.database_admin_url,
        rabbitmq_url=settings.rabbitmq_url,
        object_store=settings.object_store,
    )
    inherited = passed_on(dotenv=True)
    models = inherited.get("MODELS_DIRECTORY") or str(settings.models_directory)
    return Stack(
        settings.directory,
        services=services,
        outside=outside,
        secret_key=settings.secret_key,
        environment=inherited,
        service_environment={"depth_map": {"MODELS_DIRECTORY": models}},
        report=report,
    )
