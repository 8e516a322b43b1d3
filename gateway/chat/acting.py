"""Giving a number up, choosing another day, reporting: each with one more tap before anything changes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import select

from gateway import calls, notices, queue, registrations, tables
from gateway.chat import theirs
from gateway.chat.talk import Talk, asks, opens
from gateway.chat.theirs import ALL, Turn
from gateway.rules.chat import Understood
from gateway.rules.lifecycle.ticket import State
from gateway.rules.wording import N_

BY = "zalo"
DAYS_SHOWN = 4
DAYS_LOOKED_AT = 60


def cancel(talk: Talk, asked: Understood) -> None:
    """Give up one turn, or all: first which, then whether, then it is done."""
    mine = [one for one in theirs.turns(talk) if one.may_cancel]
    if not mine:
        return _none_to_change(talk, N_("Không có số nào có thể huỷ tại đây."))
    chosen = theirs.named(mine, asked.argument) if asked.argument else []
    if not chosen and len(mine) == 1 and not asked.argument:
        chosen = mine
    if not chosen or (len(chosen) > 1 and asked.argument.partition(" ")[0] != ALL):
        return _which(talk, chosen or mine, "#huy", N_("Ông/bà muốn huỷ số nào?"), N_("Huỷ %(who)s"))
    seal = theirs.seal(chosen)
    if asked.confirmed and asked.argument.endswith(f" {seal}"):
        return _cancelled(talk, chosen)
    listed = "\n\n".join(theirs.described(talk, one) for one in chosen)
    told = talk.word(N_("Ông/bà chắc chắn muốn huỷ? Huỷ rồi thì không lấy lại được chỗ này."))
    named = f"{ALL if len(chosen) > 1 else theirs.reference(chosen[0], mine)} {seal}"
    yes = talk.word(N_("Vâng, huỷ %(who)s"), who=_who(talk, chosen))
    return talk.say(
        f"{told}\n\n{listed}",
        [asks(yes, f"#huy! {named}", shown=False), asks(talk.word(N_("Không huỷ")), "#so")],
    )


def _who(talk: Talk, chosen: Sequence[Turn]) -> str:
    return chosen[0].title if len(chosen) == 1 else talk.word(N_("tất cả"))


def _cancelled(talk: Talk, chosen: Sequence[Turn]) -> None:
    gone = 0
    policy = notices.policy(talk.config)
    made = {one.registration.id: one.registration for one in chosen if one.registration}
    ids = [one.applicant.id for one in chosen if one.applicant]
    for key in sorted(made):
        gone += registrations.cancel(talk.session, made[key], ids, policy, talk.now, BY)
    talk.acted = True
    if not gone:
        return talk.say(talk.word(N_("Không huỷ được nữa: số đã được gọi hoặc đã xong.")), [_my_number(talk)])
    told = N_("Đã huỷ %(n)d người. Chỗ này được nhường cho người khác.")
    return talk.say(talk.word(told, n=gone), [_register(talk), _my_number(talk)])


def _which(talk: Talk, given: Sequence[Turn], command: str, question: str, title: str) -> None:
    """Ask which turn is meant, one button each."""
    room = 4 if len(given) > 1 else 5
    buttons = [
        asks(
            talk.word(title, who=one.title or talk.hour(one.slot_at or 0)),
            f"{command} {theirs.reference(one, given)}",
            False,
        )
        for one in given[:room]
    ]
    if len(given) > 1:
        buttons.append(asks(talk.word(title, who=talk.word(N_("tất cả"))), f"{command} {ALL}", shown=False))
    listed = "\n\n".join(theirs.described(talk, one) for one in given[: theirs.SHOWN])
    return talk.say(f"{talk.word(question)}\n\n{listed}", buttons)


def _none_to_change(talk: Talk, told: str) -> None:
    """Nothing that may be changed here; what is only seen by a shared phone is changed elsewhere."""
    text = talk.word(told)
    if any(not one.own for one in theirs.turns(talk)):
        text = f"{text} {talk.word(SEEN_ONLY)}"
        return talk.say(text, [_my_number(talk)])
    return talk.say(text, [_register(talk), asks(talk.word(N_("Gặp cán bộ")), "#nguoi")])


SEEN_ONLY = N_(
    "Số tìm được theo số điện thoại chỉ xem được ở đây; để huỷ, đổi ngày hay báo có mặt, xin dùng liên kết "
    "trong tin nhắn đã nhận."
)


def _register(talk: Talk):
    return asks(talk.word(N_("Đăng ký lấy số")), "#dangky")


def _my_number(talk: Talk):
    return asks(talk.word(N_("Số của tôi")), "#so")


def move(talk: Talk, asked: Understood) -> None:
    """Choose another day for those who have no number yet: which, when, then whether."""
    made = _movable(talk)
    if not made:
        told = N_(
            "Không có lịch nào đổi ngày được. Số đã được cấp thì không đổi ngày; xin huỷ rồi đăng ký lại."
        )
        if any(one.own and one.may_cancel for one in theirs.turns(talk)):
            return talk.say(talk.word(told), [asks(talk.word(N_("Huỷ số")), "#huy"), _my_number(talk)])
        return _none_to_change(talk, told)
    registration_id, shift_id, offset = (_part(asked.argument, letter) for letter in "rst")
    chosen = made.get(registration_id)
    if not registration_id and len(made) == 1:
        chosen = next(iter(made.values()))
    if chosen is None:
        return _which_registration(talk, made)
    if not shift_id:
        return _which_day(talk, chosen, offset)
    return _moved(talk, chosen, shift_id) if asked.confirmed else _really(talk, chosen, shift_id)


def _part(argument: str, letter: str) -> int:
    """The number of "r12", "s3", "t4" in what our own buttons send; 0 for none."""
    found = re.search(rf"(?:^|\s){letter}(\d{{1,15}})(?=\s|$)", argument)
    return int(found[1]) if found else 0


def _movable(talk: Talk) -> dict[int, list[Turn]]:
    """Own registrations with somebody who has no number yet."""
    found: dict[int, list[Turn]] = {}
    for one in theirs.turns(talk):
        if one.own and one.registration and one.applicant and one.applicant.state == "registered":
            found.setdefault(one.registration.id, []).append(one)
    return found


def _which_registration(talk: Talk, made: dict[int, list[Turn]]) -> None:
    buttons = [
        asks(f"{talk.hour(people[0].slot_at or 0)} · {people[0].name}", f"#doi r{key}", shown=False)
        for key, people in list(made.items())[:5]
    ]
    return talk.say(talk.word(N_("Ông/bà muốn đổi lịch hẹn nào?")), buttons)


def _which_day(talk: Talk, people: Sequence[Turn], offset: int) -> None:
    made = people[0].registration
    days = _days(talk, people)
    shown = days[offset : offset + DAYS_SHOWN]
    if not shown:
        return talk.say(talk.word(N_("Hiện không còn ngày nào khác có đủ chỗ.")), [_my_number(talk)])
    buttons = [
        asks(f"{talk.day(shift.day)} · {talk.named(site)}", f"#doi r{made.id} s{shift.id}", shown=False)
        for shift, site in shown
    ]
    if len(days) > offset + DAYS_SHOWN:
        more = f"#doi r{made.id} t{offset + DAYS_SHOWN}"
        buttons.append(asks(talk.word(N_("Xem thêm ngày")), more, shown=False))
    told = talk.word(N_("Đổi ngày cho %(n)d người. Xin chọn ngày:"), n=len(people))
    return talk.say(f"{told}\n\n{theirs.described(talk, people[0])}", buttons)


def _days(talk: Talk, people: Sequence[Turn]) -> list[tuple[tables.Shift, tables.Site]]:
    """Open days with room for them all, those at their own site first."""
    wanted = (
        select(tables.Shift, tables.Site)
        .join(tables.Site, tables.Site.id == tables.Shift.site_id)
        .where(
            tables.Site.active,
            tables.Shift.state == "open",
            tables.Shift.closes_at > talk.now,
            tables.Shift.id != people[0].applicant.shift_id,
        )
        .order_by(tables.Site.id != people[0].site.id, tables.Shift.opens_at)
        .limit(DAYS_LOOKED_AT)
    )
    return [
        (shift, site)
        for shift, site in talk.session.execute(wanted).all()
        if registrations.slot_for(talk.session, shift, len(people), talk.config, talk.now) is not None
    ]


def _really(talk: Talk, people: Sequence[Turn], shift_id: int) -> None:
    found = next(((shift, site) for shift, site in _days(talk, people) if shift.id == shift_id), None)
    if found is None:
        return _which_day(talk, people, 0)
    shift, site = found
    slot = registrations.slot_for(talk.session, shift, len(people), talk.config, talk.now)
    told = N_("Đổi %(n)d người sang %(hour)s tại %(place)s?")
    text = talk.word(told, n=len(people), hour=talk.hour(slot or shift.opens_at), place=talk.named(site))
    yes = asks(
        talk.word(N_("Vâng, đổi ngày")), f"#doi! r{people[0].registration.id} s{shift_id}", shown=False
    )
    return talk.say(text, [yes, asks(talk.word(N_("Không đổi")), "#so")])


def _moved(talk: Talk, people: Sequence[Turn], shift_id: int) -> None:
    outcome = registrations.move(talk.session, people[0].registration, shift_id, talk.config, talk.now)
    talk.acted = True
    if isinstance(outcome, registrations.Fault):
        return talk.say(outcome.en if talk.language == "en" else outcome.vi, [_my_number(talk)])
    ids = {one.applicant.id for one in people}
    moved = [one for one in theirs.turns(talk) if one.applicant and one.applicant.id in ids]
    listed = "\n\n".join(theirs.described(talk, one) for one in moved)
    return talk.say(f"{talk.word(N_('Đã đổi ngày.'))}\n\n{listed}", [_my_number(talk)])


def here(talk: Talk, asked: Understood) -> None:
    """Report, if the station lets people do so from their phones; else say where to."""
    mine = [
        one
        for one in theirs.turns(talk)
        if one.own and one.ticket and one.ticket.day == talk.today and one.ticket.state in ARRIVES
    ]
    if not mine:
        return _none_to_change(talk, N_("Hôm nay không có số nào cần báo có mặt."))
    if not talk.config.policy.check_in_by_chat:
        told = N_("Mời đến bàn tiếp đón và đưa số hoặc mã QR cho nhân viên để báo có mặt.")
        url = f"{talk.config.web.base_url}/p/{mine[0].ticket.token}"
        listed = "\n\n".join(theirs.described(talk, one) for one in mine)
        return talk.say(f"{talk.word(told)}\n\n{listed}", [opens(talk.word(N_("Mở mã QR")), url)])
    chosen = theirs.named(mine, asked.argument) if asked.argument else (mine if len(mine) == 1 else [])
    if not chosen:
        return _which(talk, mine, "#toi", N_("Ai đã đến?"), N_("Đã đến: %(who)s"))
    return _arrived(talk, chosen)


ARRIVES = (State.BOOKED, State.NO_SHOW)


def _arrived(talk: Talk, chosen: Sequence[Turn]) -> None:
    lines = []
    for one in chosen:
        about = ([one.ticket.site_id], one.ticket.day, one.ticket.token)
        outcome = calls.arrive(talk.session, *about, talk.config, talk.now, BY)
        if isinstance(outcome, queue.Refusal):
            lines.append(f"{one.title}: {outcome.en if talk.language == 'en' else outcome.vi}")
        else:
            lines.append(f"{talk.word(N_('Đã báo có mặt.'))} {theirs.described(talk, one)}")
    talk.acted = True
    return talk.say("\n\n".join(lines), [_my_number(talk)])
