"""The list of conversations, and what was said in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.chat import saying
from gateway.notices.barriers import HELD
from gateway.rules import phone, windows
from gateway.rules.settings import Settings

WAYS = ("zalo", "sms")
STATES = ("waiting", "mine", "answered", "automatic", "closed")
THREADS, MESSAGES = 40, 50
SNIPPET, QUOTE = 90, 120
NEVER = 2**53
BY_TEXT = "sms:"  # how the id of a text message that came in begins
_talk, _user, _message = tables.Conversation, tables.ZaloUser, tables.ChatMessage


@dataclass(frozen=True)
class Reader:
    """Who looks. `everything`: an officer or admin; others see nothing that is sensitive."""

    name: str
    everything: bool


@dataclass(frozen=True)
class Wanted:
    """Which conversations: `state` of STATES, "" for all; `topic` and `way` "" for every one; `page` from 1."""

    state: str = "waiting"
    topic: str = ""
    page: int = 1
    way: str = ""


@dataclass(frozen=True)
class Thread:
    """A conversation in the list. `phone` is masked; `way` and `by` say whose word `snippet` is.

    `by_text`: with somebody who sends text messages; they have no `user_id` and no window. `lane`: by which an
    answer goes back to them, empty where none can. `name` is then as it was last registered, or a sender's name.
    """

    id: int
    by_text: bool
    lane: str
    user_id: str
    name: str
    phone: str
    topic: str
    sensitive: bool
    state: str
    unread: int
    assigned_to: str
    window: windows.Window
    snippet: str
    kind: str
    way: str
    by: str
    at: int


@dataclass(frozen=True)
class Threads:
    """One page of the list."""

    rows: list[Thread]
    more: bool


@dataclass(frozen=True)
class Said:
    """A message as staff see it.

    `state`, of what we say: sending, held, sent, arrived, seen or failed; `reason` is "vi / en" of one that
    is held or failed; `again`: it may be sent again. `quoted` is what it answers, in short.
    """

    id: int
    way: str
    kind: str
    text: str
    attachments: Sequence[dict[str, Any]]
    by: str
    at: int
    quoted: str
    quotable: bool
    state: str
    reason: str
    again: bool


def visible(reader: Reader) -> ColumnElement[bool]:
    """The condition that hides from `reader` what is not theirs to see."""
    if reader.everything:
        return _talk.id.is_not(None)
    return and_(_talk.sensitive.is_(False), _talk.topic != "complaint")


def conversation(
    session: Session, talk_id: int, reader: Reader, *, lock: bool = False
) -> tables.Conversation | None:
    """A conversation that `reader` may see; None is the answer for one that they may not see as well."""
    wanted = select(_talk).where(_talk.id == talk_id, visible(reader))
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    return session.scalar(wanted)


def counts(session: Session, reader: Reader) -> dict[str, int]:
    """How many conversations each state holds, `mine`, and how many messages nobody has seen."""
    open_ones = select(_talk.state, func.count(), func.sum(_talk.unread)).where(
        _talk.closed_at.is_(None), visible(reader)
    )
    found = {
        state: (many, unread) for state, many, unread in session.execute(open_ones.group_by(_talk.state))
    }
    mine = select(func.count()).where(_talk.closed_at.is_(None), visible(reader), _of(reader))
    counted = {state: found.get(state, (0, 0))[0] for state in ("waiting", "answered", "automatic")}
    unread = sum(int(unread or 0) for _many, unread in found.values())
    return counted | {"mine": session.scalar(mine) or 0, "unread": unread}


def _of(reader: Reader) -> ColumnElement[bool]:
    return _talk.assigned_to == reader.name


def threads(session: Session, wanted: Wanted, reader: Reader, config: Settings, now: int) -> Threads:
    """One page of the list; who waits comes first whose window ends first."""
    rows = select(_talk, _user).outerjoin(_user, _user.id == _talk.user_id).where(visible(reader))
    rows = _narrowed(rows, wanted, reader)
    rows = rows.order_by(*_order(wanted.state, config, now))
    page = session.execute(rows.offset((wanted.page - 1) * THREADS).limit(THREADS + 1)).all()
    return Threads(listed(session, page[:THREADS], config, now), len(page) > THREADS)


def _narrowed(rows: Select[Any], wanted: Wanted, reader: Reader) -> Select[Any]:
    if wanted.state == "mine":
        rows = rows.where(_talk.closed_at.is_(None), _of(reader))
    elif wanted.state:
        rows = rows.where(_talk.state == wanted.state)
    if wanted.way:
        rows = rows.where(by_text() if wanted.way == "sms" else ~by_text())
    return rows.where(_talk.topic == wanted.topic) if wanted.topic else rows


def by_text() -> ColumnElement[bool]:
    """The condition of a conversation by text message; one whose phone was erased is one still."""
    return _talk.user_id.is_(None)


def _order(state: str, config: Settings, now: int) -> tuple[Any, ...]:
    if state == "closed":
        return (_talk.closed_at.desc(), _talk.id.desc())
    if state in ("waiting", "mine"):
        late = case((_talk.state == "waiting", 0), else_=1)
        return (late, _end(config, now), _talk.asked_at.desc(), _talk.id.desc())
    return (_talk.changed_at.desc(), _talk.id.desc())


def _end(config: Settings, now: int) -> ColumnElement[int]:
    """When a person's window ends next, in SQL as `rules.windows` has it; the shut ones come last.

    Who texted has no window; they are to be answered as soon as the others, and nobody is asked for longer.
    """
    free = config.zalo.free_hours * windows.HOUR
    whole = max(free, config.zalo.window_days * windows.DAY)
    spoke = _user.seen_at
    ends = [(spoke > now - free, spoke + free), (spoke > now - whole, spoke + whole)]
    return case((by_text(), _talk.asked_at + free), (spoke <= 0, NEVER), *ends, else_=NEVER)


def thread(session: Session, talk: tables.Conversation, config: Settings, now: int) -> Thread:
    """One conversation as the list shows it."""
    user = session.get_one(_user, talk.user_id) if talk.user_id is not None else None
    return listed(session, [(talk, user)], config, now)[0]


def listed(session: Session, rows: Sequence[Any], config: Settings, now: int) -> list[Thread]:
    """(conversation, person or None) pairs with the last word of each."""
    last = (
        select(func.max(_message.id))
        .where(_message.conversation_id.in_([talk.id for talk, _ in rows]), _message.way != "note")
        .group_by(_message.conversation_id)
    )
    words = {
        one.conversation_id: one
        for one in session.scalars(select(_message).where(_message.id.in_(last.scalar_subquery())))
    }
    named = registered_names(session, {talk.phone for talk, user in rows if user is None and talk.phone})
    return [_thread(talk, user, words.get(talk.id), named, config, now) for talk, user in rows]


def registered_names(session: Session, phones: set[str]) -> dict[str, str]:
    """Phone → the name that it was last registered with."""
    if not phones:
        return {}
    made = tables.Registration
    wanted = select(made.phone, made.contact_name).where(made.phone.in_(phones)).order_by(made.id)
    return dict(session.execute(wanted).all())


def _thread(
    talk: tables.Conversation,
    user: tables.ZaloUser | None,
    last: tables.ChatMessage | None,
    named: Mapping[str, str],
    config: Settings,
    now: int,
) -> Thread:
    own, seen_at = config.zalo, user.seen_at if user else 0
    return Thread(
        id=talk.id,
        by_text=user is None,
        lane=(saying.lane(talk, config) or "") if user is None else "",
        user_id=user.id if user else "",
        name=user.name if user else _texting(talk.phone or "", named),
        phone=masked(user.phone if user else talk.phone),
        topic=talk.topic,
        sensitive=talk.sensitive,
        state=talk.state,
        unread=talk.unread,
        assigned_to=talk.assigned_to,
        window=windows.window(seen_at, now, own.free_hours, own.window_days),
        snippet=" ".join(last.text.split())[:SNIPPET] if last else "",
        kind=last.kind if last else "text",
        way=last.way if last else "",
        by=last.by if last else "",
        at=last.at if last else talk.changed_at,
    )


def _texting(sender: str, named: Mapping[str, str]) -> str:
    """Who texts: the name that was registered with their phone, or what the network calls them."""
    return named.get(sender, "") or (sender if not sender.startswith("+") else "")


def masked(number: str | None) -> str:
    """A phone as lists show it; nothing for a name or for nobody's."""
    return phone.masked(number) if number and number.startswith("+") else ""


def messages(session: Session, talk_id: int, before: int | None = None) -> tuple[list[Said], bool]:
    """The last MESSAGES messages (before one), oldest first, and whether there are older ones."""
    wanted = (
        select(_message, tables.Notice)
        .outerjoin(tables.Notice, tables.Notice.id == _message.notice_id)
        .where(_message.conversation_id == talk_id)
        .order_by(_message.id.desc())
    )
    if before is not None:
        wanted = wanted.where(_message.id < before)
    rows = session.execute(wanted.limit(MESSAGES + 1)).all()
    # Zalo tells late and in any order: within a page what was said first stands first
    shown = sorted(rows[:MESSAGES], key=lambda row: (row[0].at, row[0].id))
    quotes = _quotes(session, talk_id, [one for one, _ in shown])
    return [_said(one, notice, quotes) for one, notice in shown], len(rows) > MESSAGES


def own_message(session: Session, talk_id: int, message_id: int) -> tables.ChatMessage | None:
    """A message of this very conversation."""
    found = session.get(_message, message_id)
    return found if found is not None and found.conversation_id == talk_id else None


def _quotes(session: Session, talk_id: int, shown: Sequence[tables.ChatMessage]) -> dict[str, str]:
    ids = {one.quoted for one in shown if one.quoted}
    if not ids:
        return {}
    wanted = select(_message.msg_id, _message.text, _message.kind)
    rows = session.execute(wanted.where(_message.conversation_id == talk_id, _message.msg_id.in_(ids)))
    return {row.msg_id: " ".join(row.text.split())[:QUOTE] or f"[{row.kind}]" for row in rows}


def _said(one: tables.ChatMessage, notice: tables.Notice | None, quotes: dict[str, str]) -> Said:
    state, reason = _state(one, notice)
    return Said(
        id=one.id,
        way=one.way,
        kind=one.kind,
        text=one.text,
        attachments=[dict(part) for part in one.attachments if isinstance(part, dict)],
        by=one.by,
        at=one.at,
        quoted=quotes.get(one.quoted, "…") if one.quoted else "",
        quotable=one.way == "in" and bool(one.msg_id) and not (one.msg_id or "").startswith(BY_TEXT),
        state=state,
        reason=reason,
        again=state == "failed" and notice is not None,
    )


_STATES = {"sending": "sending", "sent": "sent", "unknown": "sent", "delivered": "arrived"}


def _state(one: tables.ChatMessage, notice: tables.Notice | None) -> tuple[str, str]:
    """Where what we said stands; what somebody wrote in Zalo's own app was sent by Zalo."""
    if one.way != "out":
        return "", ""
    if one.seen_at is not None:
        return "seen", ""
    if notice is None:
        return "sent", ""
    if notice.state == "created":
        waits = notice.reason.startswith(HELD)
        return ("held", notice.reason.removeprefix(HELD)) if waits else ("sending", "")
    if notice.state in _STATES:
        return _STATES[notice.state], ""
    return "failed", notice.reason
