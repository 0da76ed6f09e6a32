"""Addresses of stored files: of what lies in the object store, and of sizes that are drawn when they are asked for."""

from services.gateway.links.drawings import Drawing, Drawings, Known
from services.gateway.links.presigned import File, Link, Links
from services.gateway.links.sized import Sized, SizedLinks

__all__ = ["Drawing", "Drawings", "File", "Known", "Link", "Links", "Sized", "SizedLinks"]
