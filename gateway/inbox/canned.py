"""Answers that are given often: staff choose one and change it before it goes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import access, tables
from gateway.inbox.acting import LONGEST, TOPICS, Refusal

TITLE_LENGTH = 80
MOST = 200
DEFAULTS = (
    (
        "",
        "Đã nhận, đang xem",
        "Chúng tôi đã nhận được tin của ông/bà và đang xem. Chúng tôi sẽ trả lời ngay trong ngày làm việc.",
    ),
    (
        "identity",
        "Giấy tờ làm căn cước",
        "Khi làm căn cước, ông/bà chỉ cần mang theo thẻ căn cước hoặc chứng minh nhân dân đang dùng (nếu có). "
        "Trẻ dưới 14 tuổi cần cha, mẹ hoặc người giám hộ đi cùng.",
    ),
    (
        "identity",
        "Khi nào có thẻ",
        "Thẻ căn cước được trả trong 7 ngày làm việc kể từ ngày làm xong thủ tục. "
        "Khi có thẻ, chúng tôi sẽ nhắn ông/bà.",
    ),
    (
        "residence",
        "Đăng ký thường trú, tạm trú",
        "Ông/bà có thể nộp hồ sơ cư trú trực tuyến tại https://dichvucong.dancuquocgia.gov.vn "
        "hoặc mang giấy tờ về chỗ ở hợp pháp đến bộ phận cư trú trong giờ làm việc.",
    ),
    (
        "procedure",
        "Đổi ngày hẹn",
        "Ông/bà có thể tự đổi ngày hẹn bằng cách nhắn chữ “đổi lịch” ở đây, trước khi có số thứ tự.",
    ),
    (
        "complaint",
        "Đã chuyển lãnh đạo",
        "Chúng tôi đã chuyển phản ánh của ông/bà đến lãnh đạo phụ trách. "
        "Nội dung được giữ kín và ông/bà sẽ được trả lời theo quy định.",
    ),
    ("", "Cảm ơn", "Cảm ơn ông/bà đã liên hệ. Nếu cần thêm, xin cứ nhắn tiếp ở đây."),
)
_canned = tables.CannedAnswer


def canned(session: Session, topic: str | None = None) -> Sequence[tables.CannedAnswer]:
    """All of them in their order; with a topic its own first, then those that fit every one, then the rest."""
    found = session.scalars(select(_canned).order_by(_canned.position, _canned.id)).all()
    if topic is None:
        return found
    return sorted(found, key=lambda one: 0 if one.topic == topic and topic else 1 if not one.topic else 2)


def change_canned(
    session: Session, canned_id: int | None, topic: str, title: str, text: str, by: str, now: int
) -> tables.CannedAnswer | Refusal:
    """Add one (id None) or change one."""
    title, text = (_plain(" ".join(title.split())), _plain(text))
    if not title or not text or topic not in ("", *TOPICS):
        return Refusal.EMPTY
    if len(title) > TITLE_LENGTH or len(text) > LONGEST:
        return Refusal.LONG
    row = session.get(_canned, canned_id) if canned_id is not None else _fresh(session)
    if row is None:
        return Refusal.UNKNOWN
    row.topic, row.title, row.text, row.changed_at, row.changed_by = topic, title, text, now, by[:80]
    session.add(row)
    session.flush()
    access.audit(session, now, by, "inbox.canned", str(row.id))
    return row


def _fresh(session: Session) -> tables.CannedAnswer | None:
    many, last = session.execute(select(func.count(_canned.id), func.max(_canned.position))).one()
    return None if many >= MOST else tables.CannedAnswer(position=(last or 0) + 1)


def remove_canned(session: Session, canned_id: int, by: str, now: int) -> bool:
    """Forget one; False if it is gone already."""
    row = session.get(_canned, canned_id)
    if row is None:
        return False
    session.delete(row)
    access.audit(session, now, by, "inbox.canned_removed", str(canned_id))
    return True


def defaults(session: Session, now: int) -> None:
    """The answers that a new station begins with."""
    for place, (topic, title, text) in enumerate(DEFAULTS, start=1):
        session.add(_canned(topic=topic, title=title, text=text, position=place, changed_at=now))
    session.flush()


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\0", "")
    return plain.strip()
