"""Videos: what they are, a poster and a short preview, read in a process of their own for each."""

from services.media.video.watching import Attention, still, watch

__all__ = ["Attention", "still", "watch"]
