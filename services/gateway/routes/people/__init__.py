"""People: projects and who belongs to them, what they tell, whom it is for, and who did what."""

from fastapi import APIRouter

from services.gateway.routes.people import audit, chapters, customer_images, customers, members, projects, scenes

routes = APIRouter()
for module in (projects, members, chapters, scenes, customers, customer_images, audit):
    routes.routes.extend(module.routes.routes)
