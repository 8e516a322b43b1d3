"""What a counter does: call the next person, call again, serve, finish, give up waiting, send on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.queue import day as days
from gateway.rules.lifecycle import ticket as lifecycle
from gateway.rules.lifecycle.ticket import State, Verb

AT_COUNTER = (State.CALLED, State.SERVING)


@dataclass(frozen=True)
class Refusal:
    """Why a verb was not done, for the person who pressed; nothing changed."""

    vi: str
    en: str


NOBODY_HERE = Refusal("Quầy này hiện chưa gọi ai.", "Nobody is at this counter.")
NOT_NOW = Refusal("Không thể làm việc này ở bước hiện tại.", "That cannot be done at this step.")
PAUSED = Refusal("Quầy đang tạm nghỉ. Hãy bấm Mở lại trước.", "The counter is paused. Resume it first.")
NO_SUCH_TARGET = Refusal(
    "Không có quầy hoặc thủ tục này tại điểm làm việc.", "There is no such counter or service at this site."
)


def call_next(
    session: Session, counter_id: int, day: date, now: int, by: str
) -> tables.Ticket | Refusal | None:
    """Finish who is at the counter and call the present ticket with the smallest (due, seq) it can serve."""
    counter, today = _locked(session, counter_id, day)
    if counter.state != "open":
        return PAUSED
    current = _at(session, counter_id, day)
    if current is not None:
        _finish(session, today, current, counter_id, now, by)
    ticket = session.scalar(waiting_for(counter).filter_by(day=day).limit(1))
    if ticket is None:
        return None
    ticket.state, ticket.counter_id = State.CALLED, counter_id
    ticket.calls, ticket.called_at = 1, now
    days.record(session, today, now, "called", ticket_id=ticket.id, counter_id=counter_id, by=by)
    return ticket


def waiting_for(counter: tables.Counter):
    """The present tickets that a counter can serve, in the order of calling."""
    serves = select(tables.CounterService.service_id).filter_by(counter_id=counter.id)
    return (
        select(tables.Ticket)
        .filter_by(site_id=counter.site_id, state=State.WAITING)
        .where(
            tables.Ticket.service_id.in_(serves),
            or_(tables.Ticket.only_counter_id.is_(None), tables.Ticket.only_counter_id == counter.id),
        )
        .order_by(tables.Ticket.due, tables.Ticket.seq)
    )


def recall(session: Session, counter_id: int, day: date, now: int, by: str) -> tables.Ticket | Refusal:
    """Call the person of this counter once more."""
    _, today = _locked(session, counter_id, day)
    ticket = _at(session, counter_id, day)
    if ticket is None:
        return NOBODY_HERE
    ticket.calls, ticket.called_at = ticket.calls + 1, now
    days.record(session, today, now, "recalled", ticket_id=ticket.id, counter_id=counter_id, by=by)
    return ticket


def start(session: Session, counter_id: int, day: date, now: int, by: str) -> tables.Ticket | Refusal:
    """The called person has come and is being served."""
    _, today = _locked(session, counter_id, day)
    ticket = _at(session, counter_id, day)
    if ticket is None:
        return NOBODY_HERE
    after = lifecycle.after(State(ticket.state), Verb.START)
    if after is None:
        return NOT_NOW
    ticket.state, ticket.started_at = after, now
    days.record(session, today, now, "started", ticket_id=ticket.id, counter_id=counter_id, by=by)
    return ticket


def finish(session: Session, counter_id: int, day: date, now: int, by: str) -> tables.Ticket | Refusal:
    """The person of this counter is done."""
    _, today = _locked(session, counter_id, day)
    ticket = _at(session, counter_id, day)
    if ticket is None:
        return NOBODY_HERE
    return _finish(session, today, ticket, counter_id, now, by)


def _finish(
    session: Session, today: tables.SiteDay, ticket: tables.Ticket, counter_id: int, now: int, by: str
) -> tables.Ticket:
    ticket.started_at = ticket.started_at or ticket.called_at
    ticket.state, ticket.finished_at = State.DONE, now
    days.record(session, today, now, "finished", ticket_id=ticket.id, counter_id=counter_id, by=by)
    return ticket


def no_show(session: Session, counter_id: int, day: date, now: int, by: str) -> tables.Ticket | Refusal:
    """The called person did not come."""
    _, today = _locked(session, counter_id, day)
    ticket = _at(session, counter_id, day)
    if ticket is None:
        return NOBODY_HERE
    after = lifecycle.after(State(ticket.state), Verb.NO_SHOW)
    if after is None:
        return NOT_NOW
    ticket.state, ticket.missed_at = after, now
    days.record(session, today, now, "missed", ticket_id=ticket.id, counter_id=counter_id, by=by)
    return ticket


def transfer(
    session: Session,
    counter_id: int,
    day: date,
    service_id: int | None,
    to_counter: int | None,
    now: int,
    by: str,
) -> tables.Ticket | Refusal:
    """Send the person on, to another service or to one counter; the place they earned (`due`) stays theirs."""
    counter, today = _locked(session, counter_id, day)
    ticket = _at(session, counter_id, day)
    if ticket is None:
        return NOBODY_HERE
    wanted = service_id if to_counter is None else ticket.service_id
    if wanted is None or not _served_at(session, counter.site_id, wanted, to_counter):
        return NO_SUCH_TARGET
    ticket.state, ticket.service_id = State.WAITING, wanted
    ticket.counter_id, ticket.only_counter_id = None, to_counter
    ticket.calls, ticket.started_at = 0, None
    days.record(session, today, now, "transferred", ticket_id=ticket.id, counter_id=counter_id, by=by)
    return ticket


def _served_at(session: Session, site_id: int, service_id: int, counter_id: int | None) -> bool:
    serving = (
        select(tables.CounterService.service_id)
        .join(tables.Counter, tables.Counter.id == tables.CounterService.counter_id)
        .where(tables.Counter.site_id == site_id, tables.CounterService.service_id == service_id)
    )
    if counter_id is not None:
        serving = serving.where(tables.Counter.id == counter_id)
    return session.scalar(serving.limit(1)) is not None


def pause(session: Session, counter_id: int, day: date, now: int, by: str) -> tables.Counter:
    """The counter calls nobody until it is resumed; who is at it stays."""
    return _turn(session, counter_id, day, "paused", now, by)


def resume(session: Session, counter_id: int, day: date, now: int, by: str) -> tables.Counter:
    return _turn(session, counter_id, day, "open", now, by)


def _turn(session: Session, counter_id: int, day: date, state: str, now: int, by: str) -> tables.Counter:
    counter, today = _locked(session, counter_id, day)
    if counter.state != state:
        counter.state = state
        days.record(session, today, now, state, counter_id=counter_id, by=by)
    return counter


def _locked(session: Session, counter_id: int, day: date) -> tuple[tables.Counter, tables.SiteDay]:
    counter = session.get_one(tables.Counter, counter_id)
    today = days.opened(session, counter.site_id, day)
    session.refresh(counter)
    return counter, today


def _at(session: Session, counter_id: int, day: date) -> tables.Ticket | None:
    here = select(tables.Ticket).filter_by(counter_id=counter_id, day=day)
    return session.scalar(
        here.where(tables.Ticket.state.in_(AT_COUNTER)).execution_options(populate_existing=True)
    )
