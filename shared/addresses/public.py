"""Which addresses belong to the Internet, and which exceptions an operator makes."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from shared.errors import Refused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

WEB_PORTS: Final = frozenset({80, 443})

# What the interpreter's own table calls global although nothing public answers there: protocol assignments
# with a cloud's metadata (192.0.0.192), Azure's wire server, Alibaba's metadata, documentation.
_NEVER_PUBLIC: Final = tuple(map(ip_network, ("192.0.0.0/24", "168.63.129.16/32", "100.100.100.200/32", "3fff::/20")))
# All of IPv6 that the registry has given out for the Internet, and the prefix that NAT64 makes of IPv4.
_ROUTED_IPV6: Final = (IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96"))
_IPV4_IN_THE_TAIL: Final = tuple(map(IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_ISATAP_MARK: Final = 0x0000_5EFE


def is_public(address: Address | str, own_networks: tuple[Network, ...] = ()) -> bool:
    """Tell whether an address belongs to the Internet, and so does every IPv4 address hidden in it.

    Args:
        address: what would be dialled.
        own_networks: networks that the world may route but that are ours (pods, services, a VPC).

    """
    address = ip_address(address)
    if any(address in network for network in (*_NEVER_PUBLIC, *own_networks)):
        return False
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return True
    routed = any(address in network for network in _ROUTED_IPV6)
    return routed and all(is_public(hidden, own_networks) for hidden in hidden_ipv4(address))


def hidden_ipv4(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that a gateway or a tunnel may take out of an IPv6 address.

    Mapped, compatible and translated addresses, NAT64 (RFC 6052), 6to4, Teredo (server and client), ISATAP.
    The local NAT64 prefix 64:ff9b:1::/48 (RFC 8215) has no fixed place for them; none of it is public.
    """
    number = int(address)
    isatap = (number >> 32) & 0xFCFF_FFFF == _ISATAP_MARK  # the two bits masked out are flags
    if isatap or any(address in network for network in _IPV4_IN_THE_TAIL):
        yield IPv4Address(number & 0xFFFF_FFFF)
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo


@dataclass(frozen=True, slots=True)
class Policy:
    """Where strangers may send us.

    Attributes:
        ports: ports of public hosts.
        allow: exact `(ip, port)` pairs that pass although they are not public.
        own_networks: public-looking networks that are ours, and so refused.

    """

    ports: frozenset[int] = WEB_PORTS
    allow: frozenset[tuple[str, int]] = frozenset()
    own_networks: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        for ip, _ in self.allow:
            ip_address(ip)  # a name in the allow list is a mistake that shows at the start

    def check_port(self, port: int) -> None:
        """Refuse a port that neither public hosts nor the allow list may use (`url_port_refused`)."""
        if port not in self.ports and not self._allows_something_at(port):
            raise _port_refused(port)

    def check_name(self, name: str, port: int) -> None:
        """Refuse a name that only an inner network can know (`address_refused`)."""
        if "." not in name and not self._allows_something_at(port):
            raise Refused("address_refused", f"{name} is not a public host.")

    def check_address(self, address: Address | str, port: int) -> None:
        """Refuse an address and port that may not be dialled (`address_refused`, `url_port_refused`)."""
        try:
            address = ip_address(address)
        except ValueError as error:
            raise Refused("address_refused", "What would be dialled is not an address.") from error
        if any(port == allowed_port and address == ip_address(ip) for ip, allowed_port in self.allow):
            return
        if not is_public(address, self.own_networks):
            raise Refused("address_refused", f"{address} is not a public address.")
        if port not in self.ports:
            raise _port_refused(port)

    def _allows_something_at(self, port: int) -> bool:
        return any(port == allowed_port for _, allowed_port in self.allow)


PUBLIC_WEB: Final = Policy()


def parse_allow_list(text: str) -> frozenset[tuple[str, int]]:
    """Read `ip:port` pairs separated by commas, IPv6 in brackets; raise ValueError where one is none."""
    return frozenset(_parse_pair(pair.strip()) for pair in text.split(",") if pair.strip())


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks such as `10.0.0.0/8` separated by commas; raise ValueError where one is none."""
    return tuple(ip_network(network.strip()) for network in text.split(",") if network.strip())


def _parse_pair(pair: str) -> tuple[str, int]:
    parts = urlsplit(f"//{pair}")
    if not parts.hostname or not parts.port or parts.netloc != pair or parts.username is not None:
        raise ValueError(f"{pair!r} is not ip:port")
    return str(ip_address(parts.hostname)), parts.port


def _port_refused(port: int) -> Refused:
    return Refused("url_port_refused", f"Port {port} may not be fetched from.")
