"""Where images are looked for beside single pages: whole sites, sitemaps, feeds and manifests."""

from services.scraper.sources.harvest import PATIENCE_SECONDS, Harvest, Harvester, read_in
from services.scraper.sources.manifests import Manifests
from services.scraper.sources.memory import Memory
from services.scraper.sources.scopes import Scope

__all__ = ["PATIENCE_SECONDS", "Harvest", "Harvester", "Manifests", "Memory", "Scope", "read_in"]
