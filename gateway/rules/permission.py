"""The address at which an administrator of the Official Account lets our app speak for it. Pure.

Source: Zalo's PHP SDK (OAuth v4): app_id, redirect_uri, code_challenge, state; nothing else is asked for.
"""

from __future__ import annotations

from urllib.parse import urlencode


def link(base: str, app_id: str, redirect_uri: str, challenge: str | None, state: str | None) -> str:
    """Where they say yes; Zalo then sends them to `redirect_uri` with `code`, `oa_id` and our `state`."""
    asked = {
        "app_id": app_id,
        "redirect_uri": redirect_uri,
        "code_challenge": challenge,
        "state": state,
    }
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{base.rstrip('/')}/v4/oa/permission?{query}"
