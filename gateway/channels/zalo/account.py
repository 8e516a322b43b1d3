"""One signed call to one of Zalo's hosts, with the account's access token.

Zalo says yes and no in a 200, with `error` in the body. A call that was refused for its token was not acted
upon, so it is made once more with a new token, and never a third time.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gateway.channels import Fault, Refused, Unreachable, codes, exchange
from gateway.rules import hashes

RATE = "-32"
FOREIGN = "trả lời không phải của Zalo / the answer is not Zalo's"


class Tokens(Protocol):
    """Who keeps the access token. `renew(used)` gives a newer one; another thread may have renewed already.

    Both may raise Refused or Unreachable, or what says that nobody has connected the account yet.
    """

    def current(self) -> str: ...

    def renew(self, used: str) -> str: ...


class Account:
    """A host (`base`) and the table of its codes. `clock` gives epoch seconds, for a rate counted by minutes."""

    def __init__(
        self,
        base: str,
        table: str,
        tokens: Tokens,
        *,
        app_secret: str | None = None,
        proof: bool = False,
        timeout: float = 10.0,
        largest: int = exchange.LARGEST_ANSWER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`proof`: put appsecret_proof on every call, for apps that have switched it on. `largest` in octets."""
        if proof and not app_secret:
            raise ValueError("appsecret_proof needs the app's secret")
        self._base, self._table, self._tokens, self._clock = base.rstrip("/"), table, tokens, clock
        self._secret = app_secret if proof else None
        self._exchange = exchange.Exchange(timeout, largest)

    def post(self, path: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer's whole object; raises Refused or Unreachable."""
        url = self._base + path
        return self._asked(lambda headers: self._exchange.post_json(url, document, headers))

    def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        url = self._base + path
        return self._asked(lambda headers: self._exchange.get(url, query, headers))

    def upload(self, path: str, name: str, octets: bytes, kind: str) -> Mapping[str, Any]:
        """A file in the form's field "file"; `kind` is its media type."""
        url, parts = self._base + path, {"file": (name, octets, kind)}
        return self._asked(lambda headers: self._exchange.post_parts(url, parts, headers))

    def close(self) -> None:
        self._exchange.close()

    def _asked(self, call: Callable[[Mapping[str, str]], exchange.Answer]) -> Mapping[str, Any]:
        used = _unsent(self._tokens.current)
        answer = call(self._headers(used))
        if self._token_is_dead(answer):
            answer = call(self._headers(_unsent(lambda: self._tokens.renew(used))))
        return self._checked(answer)

    def _headers(self, token: str) -> Mapping[str, str]:
        headers = {"access_token": token}
        if self._secret:
            headers["appsecret_proof"] = hashes.appsecret_proof(self._secret, token)
        return headers

    def _token_is_dead(self, answer: exchange.Answer) -> bool:
        return answer.status in (401, 403) or codes.verdict(self._table, _error(answer)).fault is Fault.TOKEN

    def _checked(self, answer: exchange.Answer) -> Mapping[str, Any]:
        code = _error(answer)
        if code == "0":
            return answer.document
        if code == "":
            # No `error` at all: this is not Zalo's way of saying yes or no.
            raise Unreachable(FOREIGN, sent=answer.status < 300, code=f"HTTP {answer.status}")
        raise self._complaint(code, str(answer.document.get("message") or ""))

    def _complaint(self, code: str, said: str) -> Refused | Unreachable:
        fault = codes.complaint(self._table, code, said)
        if code == RATE and isinstance(fault, Unreachable):
            return Unreachable(fault.reason, False, code, retry_after=60 - int(self._clock()) % 60)
        return fault


def _unsent(ask: Callable[[], str]) -> str:
    """A token. Whether asking for one got through says nothing about our call, which was not made."""
    try:
        return ask()
    except Unreachable as fault:
        raise Unreachable(fault.reason, False, fault.code, fault.retry_after) from fault


def _error(answer: exchange.Answer) -> str:
    value = answer.document.get("error")
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
