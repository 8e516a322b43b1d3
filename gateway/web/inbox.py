"""hộp thư: staff answer citizens who have written to the Official Account or sent a text message.

What a caller may not see is not there: its address answers 404, and it is in no list, count or stream.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from gateway import access, database, inbox, presses, tables
from gateway.rules import channels, phone, senders
from gateway.web import api, callers, dates, inbox_words, problems
from gateway.web.delivery import national
from gateway.web.problems import Problem

blueprint = Blueprint("inbox", __name__, url_prefix="/admin/inbox")
LAST_PAGE = 1_000
FILTERS = ("state", "topic", "way")
PLACES = "img-src 'self' data: https:"
POLICY = "default-src 'self'; {pictures}; object-src 'none'; base-uri 'self'; form-action 'self'"
AWAY = (
    "Máy chủ này chưa kết nối với Zalo nên chưa gửi được tệp. / "
    "This server is not connected to Zalo; files cannot be sent."
)


def reader() -> inbox.Reader:
    """Who asks, and whether complaints and sensitive things exist for them."""
    return inbox.Reader(g.account.name, _sees_everything(g.account.role))


def _sees_everything(role: str) -> bool:
    return callers.RANK[role] >= callers.RANK["officer"]


@blueprint.get("")
@callers.staff(program=False)
def overview() -> Response:
    """The list; on a wide screen with room for a conversation beside it."""
    with database.reading(api.gate().engine) as session:
        return _page(session)


@blueprint.post("/search")
@callers.staff(program=False)
def search() -> Response:
    """By words, name or phone. A POST, so that nobody's name or number stands in an address."""
    here, asked = api.gate(), " ".join(request.form.get("q", "").split())[:80]
    if not asked:
        return redirect(url_for("inbox.overview"), 303)
    with database.writing(here.engine) as session:
        if isinstance(phone.parse(asked), phone.Phone):
            access.audit(session, here.now(), g.caller, "phone.search")
        found = inbox.find(session, asked, reader(), here.config, here.now())
        return _page(session, asked=asked, listed=inbox.Threads(found, False))


@blueprint.get("/<int:talk_id>")
@callers.staff(program=False)
def conversation(talk_id: int) -> Response:
    """One conversation; its own reader has then read it. Looking at a sensitive one is written down."""
    here, who = api.gate(), reader()
    with database.reading(here.engine) as session:
        talk = _talk(session, talk_id, who)
        unread, watched = talk.unread and talk.assigned_to == who.name, talk.sensitive
    live = request.headers.get("X-Live") is not None  # its script draws it anew
    if unread or (watched and not live):
        with database.writing(here.engine) as session:
            inbox.mark_read(session, talk_id, who, here.now())
            if watched and not live:
                access.audit(session, here.now(), g.caller, "inbox.open", str(talk_id))
    with database.reading(here.engine) as session:
        return _page(session, _talk(session, talk_id, who))


def _talk(session: Session, talk_id: int, who: inbox.Reader) -> tables.Conversation:
    found = inbox.conversation(session, talk_id, who)
    if found is None:
        abort(404)
    return found


def chosen() -> inbox.Wanted:
    """What the list shows, from the address; what is no state, topic or way there counts as not given."""
    state, topic, way = (request.args.get(name, "") for name in ("state", "topic", "way"))
    page = api.whole(request.args.get("page", "")) or 1
    return inbox.Wanted(
        state if state in inbox.STATES else "waiting",
        topic if topic in inbox.TOPICS else "",
        min(page, LAST_PAGE),
        way if way in inbox.WAYS else "",
    )


def _page(
    session: Session,
    talk: tables.Conversation | None = None,
    asked: str = "",
    listed: inbox.Threads | None = None,
) -> Response:
    here, who, wanted = api.gate(), reader(), chosen()
    now = here.now()
    counts = inbox.counts(session, who)
    topics = [one for one in inbox.TOPICS if who.everything or one != "complaint"]
    given: dict[str, Any] = {} if talk is None else _opened(session, talk, who, now)
    shown = render_template(
        "inbox.html",
        wanted=wanted,
        filters={name: value for name in FILTERS if (value := getattr(wanted, name))},
        ways=("", *inbox.WAYS) if channels.two_way(here.config) or wanted.way else (),
        listed=listed or inbox.threads(session, wanted, who, here.config, now),
        counts=counts,
        states=inbox.STATES,
        topics=topics,
        asked=asked,
        who=who,
        now=now,
        longest=inbox.LONGEST,
        setting=_setting(now),
        **{"talk": None, **given},
    )
    return _framed(shown)


def _opened(session: Session, talk: tables.Conversation, who: inbox.Reader, now: int) -> dict[str, Any]:
    here = api.gate()
    before = api.whole(request.args.get("before", ""))
    messages, older = inbox.messages(session, talk.id, before)
    return {
        "talk": inbox.thread(session, talk, here.config, now),
        "closed_at": talk.closed_at,
        "closed_by": talk.closed_by,
        "messages": messages,
        "older": min(one.id for one in messages) if older else None,
        "before": before,
        "person": inbox.person(session, talk, who, now),
        "a_number": senders.answerable(talk.phone or ""),
        "plain": here.config.sms.unaccented,
        "most_parts": inbox.MOST_PARTS,
        "colleagues": inbox.staff_for(session, talk),
        "canned": inbox.canned(session, talk.topic),
        "key": secrets.token_hex(16),
        "quote": api.whole(request.args.get("quote", "")),
        "oa": here.config.zalo.oa_id,
        "window_days": here.config.zalo.window_days,
    }


def _setting(now: int) -> dict[str, Any]:
    """What the page's script is told: the server's hour and the words that it says by itself."""
    return {
        "now": now,
        "language": dates.tongue(),
        "words": inbox_words.script(),
        "stream": url_for("inbox.stream"),
    }


def _framed(page: str) -> Response:
    """Citizens' pictures lie on Zalo's servers (in the sandbox: on this machine); this page alone may show them."""
    answer = make_response(page)
    local = " http://127.0.0.1:* http://localhost:*" if api.gate().config.sandbox.on else ""
    answer.headers["Content-Security-Policy"] = POLICY.format(pictures=PLACES + local)
    answer.headers["Cache-Control"] = "no-store"
    return answer


# What staff do


@blueprint.post("/<int:talk_id>/answer")
@callers.staff(program=False)
def answer(talk_id: int) -> Response:
    """Answer with a text, a picture or a pdf; the same key once more is the same answer.

    By text message with words alone; `accented` "1" keeps their accents.
    """
    here, who, text = api.gate(), reader(), request.form.get("text", "")
    quote, document = api.whole(request.form.get("quote", "")), _document()
    accented = request.form.get("accented") == "1"
    with database.reading(here.engine) as session:
        if _talk(session, talk_id, who).user_id is None and document:
            raise _problem(inbox.Refusal.WORDS_ONLY)
        again = session.get(tables.Press, (_owner(), _key() or "")) is not None
    # Outside of any transaction: Zalo may take its time
    attachment = _uploaded(document) if document and not again else None
    name = document.name if document else ""

    def act(session: Session) -> list[tables.ChatMessage] | inbox.Refusal:
        given = {"quote": quote, "attachment": attachment, "name": name, "accented": accented}
        return inbox.answer(session, talk_id, who, text, here.config, here.now(), **given)

    asked = [
        "answer",
        talk_id,
        text,
        quote,
        document.digest if document else None,
        *(["accented"] * accented),
    ]
    return _pressed(talk_id, asked, act)


@blueprint.post("/<int:talk_id>/note")
@callers.staff(program=False)
def note(talk_id: int) -> Response:
    """Write something down for colleagues only."""
    who, now, text = reader(), api.gate().now(), request.form.get("text", "")

    def act(session: Session) -> list[tables.ChatMessage] | inbox.Refusal:
        made = inbox.note(session, talk_id, who, text, now)
        return made if isinstance(made, inbox.Refusal) else [made]

    return _pressed(talk_id, ["note", talk_id, text], act)


Made = list[tables.ChatMessage] | inbox.Refusal


def _pressed(talk_id: int, asked: list[Any], act: Callable[[Session], Made]) -> Response:
    """Write messages once for this key: 201 {"messages": [ids]}, or back to the conversation."""
    here = api.gate()

    def done() -> presses.Answer:
        made = act(session)
        if isinstance(made, inbox.Refusal):
            raise _problem(made)
        return presses.Answer(201, {"messages": [one.id for one in made]})

    with database.writing(here.engine) as session:
        given = presses.once(session, _owner(), _key(), asked, here.now(), done)
    told = api.answered(given)  # a key that was used for something else is a problem for forms too
    return told if problems.wants_json() else _back(talk_id)


def _owner() -> str:
    return f"inbox:{g.account.id}"


def _key() -> str | None:
    """Of one press: from the page's script as a header, from the plain form as a field."""
    field = request.form.get("key", "")
    return api.idempotency_key() or (field if 1 <= len(field) <= presses.KEY_LENGTH else None)


def _document() -> inbox.Document | None:
    given = request.files.get("file")
    if given is None or not given.filename:
        return None
    try:
        return inbox.document(given.filename, given.read(inbox.LARGEST_FILE + 1))
    except inbox.NotTaken as fault:
        raise Problem(422, fault.reason) from fault


def _uploaded(document: inbox.Document) -> Mapping[str, Any]:
    upload = api.gate().upload
    if upload is None:
        raise Problem(503, AWAY)
    try:
        return upload(document.name, document.octets)
    except inbox.NotTaken as fault:
        raise Problem(503, fault.reason) from fault


def _problem(refused: inbox.Refusal) -> Problem:
    return Problem(*inbox_words.REFUSED[refused])


def _back(talk_id: int) -> Response:
    """To the conversation, in the list that the reader came from; to the list where it is no longer theirs."""
    kept = {name: value for name in FILTERS if (value := request.args.get(name, "")[:12])}
    with database.reading(api.gate().engine) as session:
        mine = inbox.conversation(session, talk_id, reader()) is not None
    if not mine:
        flash(_("Đã chuyển cho cán bộ phụ trách."), "go")
        return redirect(url_for("inbox.overview", **kept), 303)
    return redirect(url_for("inbox.conversation", talk_id=talk_id, **kept), 303)


def _acted(talk_id: int, act: Callable[[Session, inbox.Reader, int], Any]) -> Response:
    """Do something that is harmless to do twice."""
    here = api.gate()
    with database.writing(here.engine) as session:
        outcome = act(session, reader(), here.now())
        if isinstance(outcome, inbox.Refusal):
            raise _problem(outcome)
    return Response(status=204) if problems.wants_json() else _back(talk_id)


@blueprint.post("/<int:talk_id>/assign")
@callers.staff(program=False)
def assign(talk_id: int) -> Response:
    """Give it to somebody; `who` empty: to nobody."""
    name = request.form.get("who", "")[:60]
    return _acted(talk_id, lambda session, who, now: inbox.assign(session, talk_id, who, name, now))


@blueprint.post("/<int:talk_id>/topic")
@callers.staff(program=False)
def topic(talk_id: int) -> Response:
    """What it is about; a complaint is out of the sight of staff at once."""
    name = request.form.get("topic", "")[:12]
    return _acted(talk_id, lambda session, who, now: inbox.set_topic(session, talk_id, who, name, now))


@blueprint.post("/<int:talk_id>/sensitive")
@callers.staff(program=False)
def sensitive(talk_id: int) -> Response:
    """For officers only, or (an officer says so) for everybody again."""
    on = request.form.get("on") == "1"
    return _acted(talk_id, lambda session, who, now: inbox.mark_sensitive(session, talk_id, who, on, now))


@blueprint.post("/<int:talk_id>/close")
@callers.staff(program=False)
def close(talk_id: int) -> Response:
    """It is dealt with; the citizen's next word begins a new one."""
    return _acted(talk_id, lambda session, who, now: inbox.close(session, talk_id, who, now))


@blueprint.post("/<int:talk_id>/again/<int:message_id>")
@callers.staff(program=False)
def again(talk_id: int, message_id: int) -> Response:
    """Send once more what did not arrive."""
    config = api.gate().config
    return _acted(
        talk_id, lambda session, who, now: inbox.say_again(session, talk_id, message_id, who, config, now)
    )


@blueprint.post("/<int:talk_id>/phone")
@callers.staff("officer", program=False)
def telephone(talk_id: int) -> Response | str:
    """The phone in full, to call or text somebody whom Zalo no longer reaches; who looked is written down."""
    here = api.gate()
    with database.writing(here.engine) as session:
        number = inbox.show_phone(session, talk_id, reader(), here.now())
    if number is None:
        abort(404)
    if problems.wants_json():
        return jsonify({"phone": number, "shown": national(number)})
    return render_template("inbox_phone.html", number=number, talk_id=talk_id)


# What changes


@blueprint.get("/stream")
@callers.staff(program=False)
def stream() -> Response:
    """Server-sent events: `inbox` {"changed": [{"id", "state", "unread", "topic", "assigned_to"}], "counts"}.

    An event's id is a moment: who comes back with it as Last-Event-ID gets what changed since, also from
    another process. The stream ends when its reader is no longer allowed to look.
    """
    here = api.gate()
    # A script that opens the stream anew by itself can set no header
    last = api.whole(request.headers.get("Last-Event-ID") or request.args.get("last", ""))
    account, since = g.account.id, here.now()
    if not here.inbox.admit():
        raise Problem(
            503, "Quá nhiều người đang xem. Trang tự thử lại. / Too many are watching. Try again soon."
        )
    answer = Response(_events(here, account, since if last is None else last), mimetype="text/event-stream")
    answer.call_on_close(here.inbox.leave)
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _events(here: Any, account: int, since: int) -> Iterator[str]:
    steps = here.inbox.steps()  # from here on nothing is missed
    yield "retry: 1000\n\n"
    event, told = _event(here, account, since, None, {})
    while event is not None:
        yield event
        step = next(steps, None)
        if step is None:
            return
        event, told = _event(here, account, step.at, step.changed, told)


def _event(
    here: Any, account: int, at: int, changed: Sequence[inbox.Change] | None, told: Mapping[str, int]
) -> tuple[str | None, Mapping[str, int]]:
    """What this reader may know of a step, or a heartbeat; None when they may not look any more.

    `changed` None: whatever changed since `at`. Whoever may not see a conversation learns at most that their
    own counts are others now.
    """
    with database.reading(here.engine) as session:
        row = session.get(tables.Staff, account)
        if row is None or not row.active:
            return None, told
        who = inbox.Reader(row.name, _sees_everything(row.role))
        found = inbox.changes(session, at) if changed is None else changed
        shown = [one for one in found if who.everything or not one.hidden]
        counts = inbox.counts(session, who)
    if changed is not None and not shown and counts == told:
        return ": still here\n\n", told
    body = json.dumps({"changed": [_shown(one) for one in shown], "counts": counts}, ensure_ascii=False)
    return f"id: {at}\nevent: inbox\ndata: {body}\n\n", counts


def _shown(one: inbox.Change) -> dict[str, Any]:
    names = ("id", "state", "unread", "topic", "assigned_to")
    return {name: getattr(one, name) for name in names}


inbox_words.teach(blueprint)
