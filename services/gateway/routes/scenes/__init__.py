"""Having pictures drawn: of a scene, of all scenes of a chapter, or of nothing else; and the versions of each."""

from fastapi import APIRouter

from services.gateway.routes.scenes import chapters, drawing, free, looking, terms, versions

routes = APIRouter()
for module in (drawing, chapters, free, terms, looking, versions):
    routes.routes.extend(module.routes.routes)
