"""Signatures and digests of the outside world, pure: Zalo's webhook mac, PKCE, appsecret_proof.

Sources: Zalo's Java SDK (MacUtils.buildMac, AppSecretProofUtil) and PHP SDK (PKCEUtil); RFC 7636.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from itertools import product

_MAC_PREFIX = re.compile(r"^\s*mac\s*=\s*")


def zalo_mac(app_id: str, raw_body: bytes, timestamp: str, secret: str) -> str:
    """The mac of a Zalo webhook: hex SHA-256 (no HMAC) of appId + body as received + timestamp + secret."""
    return hashlib.sha256(app_id.encode() + raw_body + timestamp.encode() + secret.encode()).hexdigest()


def zalo_variants(
    signature: str,
    raw_body: bytes,
    *,
    ids: Mapping[str, str],
    timestamps: Mapping[str, str],
    secrets: Mapping[str, str],
) -> str | None:
    """The first way of signing that explains `signature`: "app_id/body/webhook_secret"; None for a forgery.

    Zalo's documents contradict each other on which id, which timestamp and which secret go in. Each mapping
    gives names and values, most likely first: ids {"app_id": …, "oa_id": …}, timestamps {"body": …,
    "header": …}, secrets {"webhook_secret": …, "app_secret": …}. Empty values are never tried, because
    anybody could sign with an empty secret.
    """
    given = _MAC_PREFIX.sub("", signature).strip().lower()
    for id_name, time_name, secret_name in product(_filled(ids), _filled(timestamps), _filled(secrets)):
        mac = zalo_mac(ids[id_name], raw_body, timestamps[time_name], secrets[secret_name])
        if same(given, mac):
            return f"{id_name}/{time_name}/{secret_name}"
    return None


def same(given: str, expected: str) -> bool:
    """Equality in constant time, for texts of any letters."""
    return hmac.compare_digest(given.encode(), expected.encode())


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


def _filled(values: Mapping[str, str]) -> Iterable[str]:
    return [name for name, value in values.items() if value]


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
