"""Zalo OAuth v4 for an Official Account: the consent link, and tokens for a code or a refresh token.

A refresh token works once and is replaced by each refresh: whoever calls `refresh` must be alone, and must
store the new pair before any use of it. Storing is the caller's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from gateway.channels import Fault, Refused, Unreachable, exchange
from gateway.rules import permission

_CONFIG = {
    "-14002": "the app id is not valid",
    "-14003": "the redirect address is not the registered one",
}


@dataclass(frozen=True)
class Grant:
    """A pair of tokens; `expires_in` is the access token's life in seconds (25 hours)."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in: int


class Oauth:
    """The token endpoint of one app."""

    def __init__(self, base: str, app_id: str, app_secret: str, *, timeout: float = 10.0) -> None:
        self._base, self._app_id, self._secret = base.rstrip("/"), app_id, app_secret
        self._exchange = exchange.Exchange(timeout)

    def consent_link(self, redirect_uri: str, challenge: str | None = None, state: str | None = None) -> str:
        """Where an admin of the Official Account says yes. Zalo sends them back with `code` and `oa_id`."""
        return permission.link(self._base, self._app_id, redirect_uri, challenge, state)

    def exchange(self, code: str, verifier: str | None = None) -> Grant:
        """Tokens for the code of a consent (once, within 10 minutes). Raises Refused or Unreachable."""
        asked = {"grant_type": "authorization_code", "code": code}
        return self._grant(asked | ({"code_verifier": verifier} if verifier else {}))

    def refresh(self, refresh_token: str) -> Grant:
        """A new pair for a refresh token. After Unreachable(sent=True) the old one may be spent."""
        return self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def close(self) -> None:
        self._exchange.close()

    def _grant(self, asked: Mapping[str, str]) -> Grant:
        form = urlencode({"app_id": self._app_id, **asked})
        url, headers = f"{self._base}/v4/oa/access_token", {"secret_key": self._secret}
        return _granted(self._exchange.post_form(url, form, headers).document)


def _granted(document: Mapping[str, Any]) -> Grant:
    access, refresh = document.get("access_token"), document.get("refresh_token")
    if isinstance(access, str) and access and isinstance(refresh, str) and refresh:
        return Grant(access, refresh, _life(document.get("expires_in")))
    code = str(document.get("error", ""))
    if not code:
        raise Unreachable("the answer is not Zalo's", sent=True)
    fault = Fault.CONFIG if code in _CONFIG else Fault.TOKEN
    raise Refused(code, _CONFIG.get(code) or _said(document), "account", fault)


def _said(document: Mapping[str, Any]) -> str:
    names = ("error_description", "error_name", "message")
    return next((str(document[name])[:200] for name in names if document.get(name)), "no token was given")


def _life(value: Any) -> int:
    text = str(value)
    # A text of digits by the documents; where it is anything else, renewing early harms nobody.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 3600
