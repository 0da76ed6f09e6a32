"""No host of strangers has more downloads of ours open than it shall bear, however many processes there are."""

from services.media.places.places import Places
from services.media.places.sharing import Door, Share

__all__ = ["Door", "Places", "Share"]
