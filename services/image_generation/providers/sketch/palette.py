"""The light of a scene: the colours of sky, sun, shadow and haze for each hour, weather and season."""

from dataclasses import dataclass, replace

import numpy as np

from services.image_generation.providers.sketch.noise import Grid

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """What the hour and the weather do to every colour; all colours from 0 to 1, as displayed."""

    sky: tuple[Colour, Colour, Colour, Colour]
    """From the zenith down to the horizon."""
    sun: Colour
    """Colour of direct light; what lies in it is its own colour times ambient plus this."""
    ambient: Colour
    disc: Colour
    """Colour of the sun or moon itself."""
    haze: Colour
    haze_metres: float
    """Distance at which about two thirds of a thing's own colour are lost in the air."""
    cloud_lit: Colour
    cloud_shadow: Colour
    sun_height: float
    """Height of the sun or moon over the horizon, as a share of the sky."""
    stars: float = 0.0
    lamps: float = 0.0
    """How brightly windows and lanterns shine, from 0 (day) to 1 (night)."""


HOURS: dict[str, Light] = {
    "night": Light(
        sky=((0.015, 0.03, 0.09), (0.03, 0.07, 0.18), (0.07, 0.14, 0.29), (0.15, 0.24, 0.40)),
        sun=(0.31, 0.36, 0.46), ambient=(0.16, 0.20, 0.29), disc=(0.98, 0.97, 0.90),
        haze=(0.11, 0.18, 0.32), haze_metres=700,
        cloud_lit=(0.30, 0.36, 0.50), cloud_shadow=(0.06, 0.09, 0.19),
        sun_height=0.66, stars=1.0, lamps=1.0,
    ),
    "dawn": Light(
        sky=((0.33, 0.45, 0.70), (0.62, 0.62, 0.80), (0.96, 0.72, 0.66), (1.0, 0.88, 0.70)),
        sun=(0.72, 0.52, 0.40), ambient=(0.42, 0.42, 0.54), disc=(1.0, 0.95, 0.80),
        haze=(0.93, 0.78, 0.74), haze_metres=540,
        cloud_lit=(1.0, 0.84, 0.76), cloud_shadow=(0.62, 0.56, 0.70),
        sun_height=0.20, stars=0.04, lamps=0.35,
    ),
    "day": Light(
        sky=((0.13, 0.37, 0.74), (0.30, 0.57, 0.87), (0.58, 0.78, 0.94), (0.84, 0.92, 0.96)),
        sun=(0.64, 0.60, 0.50), ambient=(0.42, 0.47, 0.55), disc=(1.0, 0.99, 0.92),
        haze=(0.72, 0.82, 0.92), haze_metres=900,
        cloud_lit=(1.0, 0.995, 0.98), cloud_shadow=(0.68, 0.75, 0.85),
        sun_height=0.78,
    ),
    "afternoon": Light(
        sky=((0.22, 0.43, 0.70), (0.46, 0.62, 0.78), (0.86, 0.82, 0.72), (1.0, 0.90, 0.66)),
        sun=(0.80, 0.58, 0.32), ambient=(0.38, 0.38, 0.44), disc=(1.0, 0.96, 0.80),
        haze=(0.94, 0.83, 0.64), haze_metres=620,
        cloud_lit=(1.0, 0.93, 0.80), cloud_shadow=(0.68, 0.64, 0.66),
        sun_height=0.38,
    ),
    "sunset": Light(
        sky=((0.15, 0.17, 0.42), (0.46, 0.27, 0.50), (0.93, 0.43, 0.32), (1.0, 0.76, 0.36)),
        sun=(0.66, 0.36, 0.20), ambient=(0.30, 0.25, 0.38), disc=(1.0, 0.93, 0.70),
        haze=(0.88, 0.52, 0.40), haze_metres=480,
        cloud_lit=(1.0, 0.60, 0.38), cloud_shadow=(0.38, 0.25, 0.44),
        sun_height=0.13, stars=0.05, lamps=0.6,
    ),
    "twilight": Light(
        sky=((0.05, 0.09, 0.27), (0.13, 0.19, 0.44), (0.37, 0.36, 0.58), (0.83, 0.58, 0.52)),
        sun=(0.30, 0.27, 0.38), ambient=(0.22, 0.25, 0.40), disc=(0.99, 0.96, 0.88),
        haze=(0.40, 0.40, 0.58), haze_metres=520,
        cloud_lit=(0.72, 0.48, 0.54), cloud_shadow=(0.17, 0.20, 0.40),
        sun_height=0.50, stars=0.45, lamps=0.9,
    ),
}  # fmt: skip

GREY: dict[str, tuple[Colour, float, float]] = {
    # Weather: the colour that the sky turns to, how far it turns, and the factor on how far one can see.
    "overcast": ((0.70, 0.73, 0.77), 0.72, 0.75),
    "rain": ((0.50, 0.55, 0.61), 0.80, 0.42),
    "storm": ((0.24, 0.27, 0.33), 0.84, 0.45),
    "snowfall": ((0.78, 0.81, 0.86), 0.74, 0.34),
    "fog": ((0.82, 0.84, 0.86), 0.62, 0.15),
    "mist": ((0.80, 0.83, 0.86), 0.34, 0.42),
}


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Go from one colour to the other by `share`."""
    return (
        one[0] + (other[0] - one[0]) * share,
        one[1] + (other[1] - one[1]) * share,
        one[2] + (other[2] - one[2]) * share,
    )


def times(one: Colour, factor: Colour | float) -> Colour:
    """Multiply a colour by a light or a number, without clipping."""
    by = (factor, factor, factor) if isinstance(factor, float) else factor
    return (one[0] * by[0], one[1] * by[1], one[2] * by[2])


def brightness(colour: Colour) -> float:
    """Perceived brightness, by the Rec. 709 weights."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def light_of(hour: str, weather: str, sky_tint: Colour | None = None) -> Light:
    """Say how an hour looks in a weather, and under a sky of a colour that was asked for."""
    light = HOURS[hour]
    if sky_tint is not None:
        light = _tinted(light, sky_tint)
    if weather not in GREY:
        return light
    grey, share, sight = GREY[weather]
    veil = times(grey, min(1.0, brightness(light.sky[3]) * 1.12))
    zenith, upper, lower, horizon = (mix(colour, times(veil, dim), share) for colour, dim in _veils(light))
    return replace(
        light,
        sky=(zenith, upper, lower, horizon),
        sun=times(mix(light.sun, (brightness(light.sun),) * 3, share), 1 - 0.75 * share),
        ambient=mix(light.ambient, times(veil, 0.92), share * 0.8),
        haze=mix(light.haze, veil, share),
        haze_metres=light.haze_metres * sight,
        cloud_lit=mix(light.cloud_lit, times(veil, 1.08), share),
        cloud_shadow=mix(light.cloud_shadow, times(veil, 0.72), share),
        stars=light.stars * (1 - share) ** 2,
        lamps=max(light.lamps, 0.55 * share if weather in {"storm", "fog", "rain"} else 0.0),
    )


def _veils(light: Light) -> tuple[tuple[Colour, float], ...]:
    return tuple(zip(light.sky, (0.80, 0.88, 0.96, 1.0), strict=True))


def _tinted(light: Light, tint: Colour) -> Light:
    sky = tuple(mix(c, times(tint, 0.35 + 0.9 * brightness(c)), 0.72) for c in light.sky)
    zenith, upper, lower, horizon = sky
    glow = mix(tint, (1.0, 1.0, 1.0), 0.25)
    return replace(
        light,
        sky=(zenith, upper, lower, horizon),
        haze=mix(light.haze, horizon, 0.7),
        cloud_lit=mix(light.cloud_lit, glow, 0.45),
        cloud_shadow=mix(light.cloud_shadow, times(tint, 0.5), 0.4),
        sun=mix(light.sun, times(glow, max(light.sun)), 0.4),
    )


def gradient(stops: tuple[Colour, ...], positions: tuple[float, ...], at: Grid) -> Grid:
    """Colours (..., 3) of a gradient through `stops` at the values `at`."""
    channels = [np.interp(at, positions, [stop[channel] for stop in stops]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)
