"""The page's templates at Zalo: which there are, and whether each may be used now."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.sandbox import ledger, wording
from gateway.sandbox.zalo.answers import No

STATES = {"1": "ENABLE", "2": "PENDING_REVIEW", "3": "REJECT", "4": "DISABLE"}
"""By the number that Zalo's list is asked with."""


class Shelf:
    """States that were changed by hand outlive a crash."""

    def __init__(self, folder: Path, documents: Iterable[Mapping[str, Any]]) -> None:
        self._all = {one.id: one for one in map(wording.template, documents)}
        self._ledger = ledger.Ledger(folder / "zalo-templates.jsonl", keep=1_000)
        self._states = {row["id"]: row["state"] for row in self._ledger.rows}

    def find(self, id: str) -> wording.Template | None:
        return self._all.get(id)

    def state(self, id: str) -> str:
        return self._states.get(id, "ENABLE")

    def put(self, id: str, state: str) -> str:
        """Changes a template's state; the one before. KeyError for no such template."""
        before = self.state(self._all[id].id)
        self._states[id] = state
        self._ledger.append(id=id, state=state)
        return before

    def page(self, offset: int, limit: int, state: str | None) -> tuple[int, list[dict[str, Any]]]:
        """(how many there are, some of them as Zalo lists them)."""
        found = [one for one in self._all.values() if state in (None, self.state(one.id))]
        return len(found), [self._row(one) for one in found[offset : offset + limit]]

    def described(self, template: wording.Template) -> dict[str, Any]:
        """Everything Zalo says of a template; `timeout` in milliseconds, prices in đồng."""
        params = [_param(name, most, template.kinds[name]) for name, most in template.params.items()]
        return {
            **self._row(template),
            "timeout": template.timeout * 1000,
            "previewUrl": "",
            "templateTag": template.tag,
            "price": str(template.price_phone),
            "price_sdt": str(template.price_phone),
            "price_uid": str(template.price_uid),
            "listParams": params,
            "listButtons": [],
            "reason": "",
        }

    def judge(self, id: Any, data: Any) -> wording.Template:
        """The template for a message that may be sent; No for one that may not."""
        template = self._all.get(str(id))
        if template is None:
            raise No(-109)
        if self.state(template.id) != "ENABLE":
            raise No(-146 if self.state(template.id) == "DISABLE" else -131)
        code = template.fault(data)
        if code:
            raise No(int(code))
        return template

    def close(self) -> None:
        self._ledger.close()

    def _row(self, template: wording.Template) -> dict[str, Any]:
        return {
            "templateId": template.id,
            "templateName": template.title,
            "createdTime": 1_760_000_000_000,
            "status": self.state(template.id),
            "templateQuality": "HIGH",
        }


def _param(name: str, most: int, kind: str) -> dict[str, Any]:
    words = {"name": name, "require": True, "type": kind, "maxLength": most, "minLength": 1}
    return {**words, "acceptNull": False}
