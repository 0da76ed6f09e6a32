"""Which addresses and URLs a stranger may send us to. Pure: nothing here opens a socket."""

from shared.addresses.public import (
    PUBLIC_WEB,
    WEB_PORTS,
    Address,
    Network,
    Policy,
    hidden_ipv4,
    is_public,
    parse_allow_list,
    parse_networks,
)
from shared.addresses.urls import UTF_8, Url, join, parse_url

__all__ = [
    "PUBLIC_WEB",
    "UTF_8",
    "WEB_PORTS",
    "Address",
    "Network",
    "Policy",
    "Url",
    "hidden_ipv4",
    "is_public",
    "join",
    "parse_allow_list",
    "parse_networks",
    "parse_url",
]
