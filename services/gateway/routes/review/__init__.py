"""Reviewing maps: which a person should look at next, what he decides of them, and what was approved."""

from fastapi import APIRouter

from services.gateway.routes.review import deciding, exporting, looking

routes = APIRouter()
for module in (looking, deciding, exporting):
    routes.routes.extend(module.routes.routes)
