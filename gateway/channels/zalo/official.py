"""What the Official Account can be asked beside sending: itself, its people, templates, quotas, uploads.

Questions of the OA's host travel as ONE query parameter, data=<JSON>. Every call is bounded, in what is asked
and in what is read. All raise Refused, Unreachable, or what the tokens raise where nobody has consented.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.channels import Fault, Refused, Unreachable, exchange
from gateway.channels.zalo import account, answers
from gateway.rules import phone

MOST_USERS, LAST_OFFSET, MOST_TEMPLATES = 50, 9_951, 100
LARGEST_LIST = 16 * exchange.LARGEST_ANSWER
MEGABYTE = 1_048_576
LARGEST_IMAGE, LARGEST_FILE = MEGABYTE, 5 * MEGABYTE
LONGEST_NAME = 120

_PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_FILES = {
    b"%PDF-": ("pdf", "application/pdf"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("doc", "application/msword"),
    b"PK\x03\x04": ("docx", _WORD),
}
_UNFIT = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]+')


class Official:
    """One Official Account, on its two hosts. `timeout` in seconds."""

    def __init__(
        self,
        oa_base: str,
        business_base: str,
        tokens: account.Tokens,
        app_secret: str | None = None,
        proof: bool = False,
        timeout: float = 10,
    ) -> None:
        signing = {"app_secret": app_secret, "proof": proof, "timeout": timeout, "largest": LARGEST_LIST}
        self._oa = account.Account(oa_base, "oa", tokens, **signing)
        self._business = account.Account(business_base, "zalo", tokens, **signing)

    def about(self) -> Mapping[str, Any]:
        """The account as Zalo describes it: name, is_verified, package_name, linked_ZCA, …"""
        return answers.data(self._oa.get("/v2.0/oa/getoa", {}))

    def user(self, user_id: str) -> Mapping[str, Any]:
        """What Zalo tells of a person. A phone in `shared_info` is a text, E.164 where it is a known number."""
        data = dict(self._asked("/v3.0/oa/user/detail", {"user_id": user_id}))
        shared = answers.part(data, "shared_info")
        if "phone" in shared:
            data["shared_info"] = {**shared, "phone": _phone(shared["phone"])}
        return data

    def users(
        self,
        offset: int,
        count: int = MOST_USERS,
        *,
        follower: bool | None = None,
        period: str | None = None,
        tag: str | None = None,
    ) -> tuple[int, list[str]]:
        """(how many there are, the user ids of this page). `period`: TODAY, YESTERDAY, L7D, L30D or from:to."""
        if not 0 <= offset <= LAST_OFFSET or not 1 <= count <= MOST_USERS:
            raise ValueError(f"Zalo lists {MOST_USERS} people a page, up to offset {LAST_OFFSET}")
        asked = {"offset": offset, "count": count, "is_follower": follower}
        asked |= {"last_interaction_period": period, "tag_name": tag}
        wanted = {name: value for name, value in asked.items() if value is not None}
        data = self._asked("/v3.0/oa/user/getlist", wanted)
        ids = [_user_id(one) for one in answers.rows(data, "users")[:count]]
        return answers.whole(data.get("total")) or 0, [one for one in ids if one]

    def templates(self, offset: int = 0, limit: int = MOST_TEMPLATES) -> tuple[int, list[Mapping[str, Any]]]:
        """(how many there are, this page's as Zalo lists them)."""
        if offset < 0 or not 1 <= limit <= MOST_TEMPLATES:
            raise ValueError(f"Zalo lists {MOST_TEMPLATES} templates a page")
        document = self._business.get("/template/all", {"offset": str(offset), "limit": str(limit)})
        rows = [one for one in answers.rows(document, "data")[:limit] if isinstance(one, Mapping)]
        total = answers.whole(answers.part(document, "metadata").get("total"))
        return len(rows) if total is None else total, rows

    def template(self, template_id: str) -> Mapping[str, Any]:
        """A template with its parameters, prices and state, as Zalo describes it; Refused "-109": no such one."""
        return answers.data(self._business.get("/template/info/v2", {"template_id": template_id}))

    def quota(self) -> Mapping[str, Any]:
        """dailyQuota, remainingQuota and what else Zalo counts; each may be null."""
        return answers.data(self._business.get("/message/quota", {}))

    def quality(self) -> Mapping[str, Any]:
        """oaCurrentQuality (48 hours) and oa7dayQuality: HIGH, MEDIUM, LOW or UNDEFINED."""
        return answers.data(self._business.get("/quality", {}))

    def tag(self, user_id: str, name: str) -> None:
        """Put a tag on a person; twice is once."""
        self._oa.post("/v2.0/oa/tag/tagfollower", {"user_id": user_id, "tag_name": name})

    def untag(self, user_id: str, name: str) -> None:
        self._oa.post("/v2.0/oa/tag/rmfollowerfromtag", {"user_id": user_id, "tag_name": name})

    def upload_image(self, name: str, octets: bytes) -> str:
        """The attachment id of a picture (jpg or png, at most 1 MB); it may be sent for seven days."""
        kind = next((kind for magic, kind in _PICTURES.items() if octets.startswith(magic)), None)
        if kind is None:
            raise _refused("type", "ảnh phải là JPG hoặc PNG", "a picture must be JPG or PNG")
        _check_size(octets, LARGEST_IMAGE)
        suffix = {"image/png": "png", "image/jpeg": "jpg"}[kind]
        return self._uploaded("image", _name(name, suffix), octets, kind, "attachment_id")

    def upload_file(self, name: str, octets: bytes) -> str:
        """The token of a document (pdf, doc or docx, at most 5 MB)."""
        found = next((found for magic, found in _FILES.items() if octets.startswith(magic)), None)
        if found is None or (found[0] == "docx" and not name.lower().endswith(".docx")):
            raise _refused("type", "tệp phải là PDF hoặc Word", "a file must be PDF or Word")
        _check_size(octets, LARGEST_FILE)
        suffix, kind = found
        return self._uploaded("file", _name(name, suffix), octets, kind, "token")

    def close(self) -> None:
        self._oa.close()
        self._business.close()

    def _asked(self, path: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        data = json.dumps(question, ensure_ascii=False, separators=(",", ":"))
        return answers.data(self._oa.get(path, {"data": data}))

    def _uploaded(self, what: str, name: str, octets: bytes, kind: str, field: str) -> str:
        data = answers.data(self._oa.upload(f"/v2.0/oa/upload/{what}", name, octets, kind))
        found = data.get(field)
        if not isinstance(found, str) or not found:
            # Nobody got anything by it: uploading once more harms nobody.
            raise Unreachable(account.FOREIGN, sent=False)
        return found


def _check_size(octets: bytes, most: int) -> None:
    if len(octets) > most:
        size = most // MEGABYTE
        raise _refused("size", f"tệp lớn hơn {size} MB", f"the file is larger than {size} MB")


def _name(name: str, suffix: str) -> str:
    """A file name that every system bears, ending as its content does."""
    stem = _UNFIT.sub("_", name).strip(" ._") or "tep"
    stem = stem[: -len(suffix) - 1] if stem.lower().endswith(f".{suffix}") else stem
    return f"{stem[:LONGEST_NAME]}.{suffix}"


def _refused(code: str, vietnamese: str, english: str) -> Refused:
    return Refused(code, f"{vietnamese} / {english}", "message", Fault.CONFIG)


def _user_id(row: Any) -> str | None:
    return answers.text(row.get("user_id") if isinstance(row, Mapping) else row)


def _phone(value: Any) -> str:
    """Zalo gives 84…, 0…, or a number that has lost its 0."""
    shown = answers.text(value) or ""
    for spelling in (shown, f"0{shown}"):
        number = phone.parse(spelling)
        if isinstance(number, phone.Phone):
            return number.e164
    return shown if shown != "0" else ""
