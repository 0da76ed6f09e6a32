"""Untrusted bytes become one upright sRGB picture, inside the limited child."""

from services.media.decoding.opening import Bounds, Picture, decode

__all__ = ["Bounds", "Picture", "decode"]
