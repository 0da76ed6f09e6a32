"""Brings files in from outside: linked ones, and videos that only a platform's player would show."""

from services.media.downloads.links import Download, download
from services.media.downloads.pages import Pages
from services.media.downloads.platforms import Platforms, Taken, take, track_type
from services.media.downloads.wishes import Wishes

__all__ = ["Download", "Pages", "Platforms", "Taken", "Wishes", "download", "take", "track_type"]
