"""One call to a program's address, to nowhere else.

An address comes from whoever has a key, so it must not make this server knock at doors in its own network:
the name is resolved here, every address of it must be a public one (or the host allowed by `[hooks] allow`),
and the connection goes to the very address that was looked at; asking the name server twice would let it give
another answer the second time.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LARGEST_ANSWER = 8_192
GONE = 410


class Forbidden(Exception):
    """The address is none that we may call."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended: the HTTP status, or None and a reason."""

    status: int | None
    reason: str

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def checked(url: str, allow: Collection[str]) -> None:
    """Raise `Forbidden` for an address that may not be called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise Forbidden("không phải địa chỉ / not an address") from fault
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise Forbidden("chỉ http hoặc https, không kèm mật khẩu / only http or https, without credentials")
    addresses(parts.hostname, port or (443 if parts.scheme == "https" else 80), allow)


def addresses(host: str, port: int, allow: Collection[str]) -> list[tuple]:
    """Where a host lives, every one of them an address that may be called."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise Forbidden("không tìm thấy máy chủ này / there is no such host") from fault
    if host.lower() not in {one.lower() for one in allow}:
        for _, _, _, _, address in found:
            if not _is_public(address[0]):
                raise Forbidden("địa chỉ nội bộ không được phép / an internal address is not allowed")
    return found


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return (mapped or address).is_global and not address.is_multicast


class _Checked:
    """A connection that goes only where `addresses` lets it."""

    allow: Collection[str] = ()

    def _new_conn(self) -> socket.socket:
        fault: OSError | None = None
        for family, kind, protocol, _, address in addresses(self.host, self.port, self.allow):
            try:
                made = socket.socket(family, kind, protocol)
                made.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
                made.connect(address)
                return made
            except OSError as one:
                fault = one
        raise urllib3.exceptions.NewConnectionError(self, f"no connection: {type(fault).__name__}") from fault


class Caller:
    """Posts to programs' addresses; no redirects, no environment, bounded answers. For several threads."""

    def __init__(self, allow: Collection[str], timeout: float):
        plain = type("PlainConnection", (_Checked, HTTPConnection), {"allow": tuple(allow)})
        secure = type("SecureConnection", (_Checked, HTTPSConnection), {"allow": tuple(allow)})
        self._adapter = requests.adapters.HTTPAdapter(pool_connections=50, pool_maxsize=10)
        self._adapter.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }
        self._timeout = timeout

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        request = requests.Request("POST", url, data=body, headers=dict(headers))
        try:
            prepared = request.prepare()
            with self._adapter.send(prepared, stream=True, timeout=self._timeout, proxies={}) as answer:
                answer.raw.read(LARGEST_ANSWER, decode_content=False)
                return Outcome(answer.status_code, "" if answer.ok else f"HTTP {answer.status_code}")
        except Forbidden as fault:
            return Outcome(None, str(fault))
        except requests.Timeout:
            return Outcome(None, "không trả lời kịp / no answer in time")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            return Outcome(None, "không gọi được / could not be called")

    def close(self) -> None:
        self._adapter.close()
