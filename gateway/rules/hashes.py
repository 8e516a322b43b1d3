"""Signatures and digests of the outside world, pure: Zalo's webhook mac, PKCE, appsecret_proof.

Sources: Zalo's Java SDK (MacUtils.buildMac, AppSecretProofUtil) and PHP SDK (PKCEUtil); RFC 7636.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from itertools import product

_MAC_PREFIX = re.compile(r"^\s*mac\s*=\s*")


ZALO_VARIANTS = tuple(
    "/".join(names)
    for names in product(("app_id", "oa_id"), ("body", "header"), ("webhook_secret", "app_secret"))
)
"""Every way of signing that is known, the likeliest first: which id, whose timestamp, which secret."""


def zalo_mac(app_id: str, raw_body: bytes, timestamp: str, secret: str) -> str:
    """The mac of a Zalo webhook: hex SHA-256 (no HMAC) of appId + body as received + timestamp + secret."""
    return hashlib.sha256(_octets(app_id) + raw_body + _octets(timestamp) + _octets(secret)).hexdigest()


def zalo_variants(
    signature: str,
    raw_body: bytes,
    *,
    ids: Mapping[str, str],
    timestamps: Mapping[str, str],
    secrets: Mapping[str, str],
    pinned: str = "",
    strict: str = "",
) -> str | None:
    """The first way of signing that explains `signature`: "app_id/body/webhook_secret"; None for a forgery.

    Zalo's documents contradict each other on which id, which timestamp and which secret go in. Each mapping
    gives names and values: ids {"app_id": …, "oa_id": …}, timestamps {"body": …, "header": …}, secrets
    {"webhook_secret": …, "app_secret": …}. Empty values are never tried, because anybody could sign with an
    empty secret. `pinned` is tried first; with `strict` no other way is tried.
    """
    given = _MAC_PREFIX.sub("", signature).strip().lower()
    order = (strict,) if strict else (pinned, *ZALO_VARIANTS)
    for variant in (one for one in order if one in ZALO_VARIANTS):
        id_name, time_name, secret_name = variant.split("/")
        parts = ids.get(id_name), timestamps.get(time_name), secrets.get(secret_name)
        if all(parts) and same(given, zalo_mac(parts[0], raw_body, *parts[1:])):
            return variant
    return None


def same(given: str, expected: str) -> bool:
    """Equality in constant time, for texts of any letters."""
    return hmac.compare_digest(_octets(given), _octets(expected))


def pkce_verifier(random_octets: bytes) -> str:
    """The 43-character code verifier of 32 random octets (RFC 7636 section 4.1)."""
    if len(random_octets) != 32:
        raise ValueError("a code verifier is made of exactly 32 octets")
    return _base64url(random_octets)


def pkce_challenge(verifier: str) -> str:
    """The S256 code challenge of a verifier (RFC 7636 section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def appsecret_proof(app_secret: str, access_token: str) -> str:
    """The proof header of an API call: hex HMAC-SHA256 of the token, keyed by the app's secret."""
    return hmac.new(app_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def zalo_phone(international: str) -> str:
    """How Zalo names a phone ("84905123456") that was written to by its hash: hex SHA-256 of its digits.

    Zalo's documents do not say which spelling is hashed; this one is what their other fields use.
    """
    return hashlib.sha256(international.encode("ascii")).hexdigest()


def _octets(text: str) -> bytes:
    """UTF-8, also of half a character: a stranger's text must not break the comparison."""
    return text.encode("utf-8", "surrogatepass")


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
