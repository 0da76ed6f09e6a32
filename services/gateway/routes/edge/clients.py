"""From where a request comes, behind proxies that are believed."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import Scope

from services.gateway.routes.edge.marks import header_of
from services.gateway.settings import Networks

_NETWORK_BITS: Final = 64
"""A household or a host has at least so large an IPv6 network, so that an address in it names nobody."""


def client_of(scope: Scope, trusted: Networks) -> str:
    """Give the address of the client, an IPv6 one as its network: the last hop that is not a proxy of ours."""
    address = next((hop for hop in _hops(scope) if not _is_trusted(hop, trusted)), None)
    if address is None:
        return (scope.get("client") or ("unknown",))[0]
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _NETWORK_BITS), strict=False))
    return str(address)


def is_https(scope: Scope, trusted: Networks) -> bool:
    """Tell whether the client speaks https, by the word of our proxies where it does not reach us itself."""
    if scope["scheme"] == "https":
        return True
    peer = next(_hops(scope), None)
    return peer is not None and _is_trusted(peer, trusted) and header_of(scope, b"x-forwarded-proto") == b"https"


def _hops(scope: Scope) -> Iterator[IPv4Address | IPv6Address]:
    """Give the addresses that a request went through, the nearest first, up to what is no address."""
    peer = (scope.get("client") or ("",))[0]
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for text in (peer, *reversed(",".join(forwarded).split(","))):
        try:
            address = ip_address(text.strip())
        except ValueError:
            return
        yield getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)
