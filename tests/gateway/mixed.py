"""Notices in every state, as an evening leaves them behind, for the pages about sending."""

from __future__ import annotations

from sqlalchemy import select

from gateway import alerts, database, tables
from gateway.notices.barriers import HELD
from gateway.rules import hours

FAMILY = ("Nguyễn Thị", "Trần Đức", "Lê Hoàng", "Phạm Quỳnh", "Đặng Thuỳ", "Võ Minh")
GIVEN = ("An", "Bình", "Chi", "Dũng", "Giang", "Hương", "Khánh", "Phượng")
NO_ZALO = "Số này không có tài khoản Zalo / no Zalo account on this number"
NO_MONEY = "Tài khoản eSMS hết tiền / the eSMS account has no money"
NO_SMS = "Số này không nhận được SMS / this number cannot get SMS"
# (how many of a hundred, state, reason, the attempts' (channel, state, parts, reason))
MIX = (
    (70, "delivered", "", (("zalo", "delivered", 1, ""),)),
    (11, "delivered", "", (("zalo", "refused", 0, NO_ZALO), ("esms", "delivered", 2, ""))),
    (6, "sent", "", (("zalo", "accepted", 1, ""),)),
    (4, "created", "", ()),
    (2, "created", HELD + NO_MONEY, (("zalo", "refused", 0, NO_ZALO), ("esms", "skipped", 0, NO_MONEY))),
    (4, "failed", NO_SMS, (("zalo", "refused", 0, NO_ZALO), ("modem", "refused", 0, NO_SMS))),
    (2, "failed", "no_receipt", (("zalo", "unknown", 1, ""), ("esms", "undelivered", 2, ""))),
    (1, "cancelled", "ticket_cancelled", ()),
)


def evening(engine, now, zone, count=100, day=None, changes=None):
    """`count` appointment notices of tomorrow at TK1 in the states of MIX; their ids in the order of numbers.

    `changes(n)`: values that replace those of the nth notice.
    """
    kinds = [kind for kind in MIX for _ in range(kind[0])]
    with database.writing(engine) as session:
        site = session.scalars(select(tables.Site).filter_by(code="TK1")).one()
        service = session.scalars(select(tables.Service).order_by(tables.Service.id)).first()
        ids = []
        for n in range(1, count + 1):
            ticket = _ticket(session, site, service, n, now, zone)
            given = changes(n) if changes else {}
            ids.append(_notice(session, ticket, site, kinds[(n * 37) % 100], n, now, zone, given))
    return ids


def _ticket(session, site, service, n, now, zone):
    slot = now - now % 86_400 + 86_400 + 1_800 * (n // 40) + 1_800  # from 07:30 tomorrow
    made = tables.Ticket(
        token=f"token-{n:05d}",
        site_id=site.id,
        day=hours.day_of(slot, zone),
        series="",
        n=n,
        number=f"{n:03d}",
        source="booked",
        service_id=service.id,
        slot_at=slot,
        created_at=now,
        state="booked",
    )
    session.add(made)
    session.flush()
    return made


def _notice(session, ticket, site, kind, n, now, zone, given):
    _, state, reason, tries = kind
    about = {
        "name": f"{FAMILY[n % 6]} {GIVEN[n % 8]}",
        "number": ticket.number,
        "place": site.name,
        "time": hours.rfc3339(ticket.slot_at, zone),
    }
    final = state in ("delivered", "failed", "cancelled", "expired")
    row = {
        "id": f"n_{now * 1_000 + n:012x}{n:020x}",
        "key": f"appointment:{ticket.id}",
        "kind": "appointment",
        "phone": f"+8490512{n:04d}",
        "data": about,
        "ticket_id": ticket.id,
        "ladder": "zalo,esms,modem",
        "state": state,
        "channel": tries[-1][0] if tries else "zalo",
        "due": now + (900 if reason.startswith(HELD) or state == "sent" else 0),
        "deadline": ticket.slot_at,
        "reason": reason,
        "created_at": now - 120,
        "changed_at": now - 30,
        "final_at": now - 30 if final else None,
    } | given
    session.add(tables.Notice(**row))
    session.flush()
    for place, (channel, ended, parts, why) in enumerate(tries):
        session.add(
            tables.Attempt(
                id=f"a_{row['id'][2:]}{place}",
                notice_id=row["id"],
                channel=channel,
                rung=place,
                state=ended,
                reason=why,
                parts=parts,
                cost=parts * (300 if channel == "zalo" else 750),
                at=now - 100 + n % 60,
            )
        )
    return row["id"]


def trouble(engine, now):
    """A channel out of money, with its alert; two processes that send, one of them silent."""
    with database.writing(engine) as session:
        session.add(
            tables.Breaker(
                channel="esms",
                subject="",
                state="open",
                failures=1,
                code="103",
                reason=NO_MONEY,
                fault="refusal",
                opened_at=now - 60,
                probe_at=now + 840,
                probes=0,
            )
        )
        data = {"channel": "esms", "subject": "", "code": "103", "reason": NO_MONEY, "again_at": now + 840}
        alerts.raised(session, "breaker:esms:", "quota", data, now - 60)
        session.add(
            tables.Workplace(
                name="tram-1-4711",
                started_at=now - 3_600,
                seen_at=now - 3,
                lanes=["zalo", "esms"],
                leads=True,
            )
        )
        session.add(
            tables.Workplace(
                name="tram-2-4712", started_at=now - 9_000, seen_at=now - 7_000, lanes=["modem"], leads=False
            )
        )
