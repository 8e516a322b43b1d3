"""What a text message is answered: one part in plain letters, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway import notices, queue, registrations, tables
from gateway.rules import wording
from gateway.rules.chat import Intent, Understood
from gateway.rules.lifecycle.ticket import State
from gateway.rules.wording import N_
from gateway.texts import theirs
from gateway.texts.talk import ROOM, Talk, clipped, fitted, plain, size
from gateway.texts.theirs import Turn

BY = "sms"
PLACE = 40  # characters of a place's name
ASKED = 6  # numbers that one question names


def answer(talk: Talk, asked: Understood) -> bool:
    """Answer what was understood; False if it is for a person."""
    act = _ANSWERS.get(asked.intent)
    if act is None:
        return False
    act(talk, asked)
    return True


def gives_up(talk: Talk, asked: Understood) -> bool:
    """Whether this gives one number up, and so can be said once only: who has confirmed is not left without it
    because they had asked much before."""
    if asked.intent is not Intent.CANCEL or not asked.argument or talk.way is None:
        return False
    found = theirs.named(theirs.turns(talk), asked.argument)
    return len(found) == 1 and found[0].may_cancel


def _help(talk: Talk, _asked: Understood) -> None:
    told = N_(
        "%(station)s: Nhắn SO để xem số, HUY để huỷ số, STOP để ngừng nhận tin, START để nhận lại. "
        "Việc khác xin nhắn rõ, cán bộ sẽ trả lời."
    )
    talk.say(talk.word(told, station=talk.station))


def stopped(talk: Talk) -> None:
    told = N_(
        "%(station)s: Đã ngừng gửi tin nhắn tới số điện thoại này. Nhắn START để nhận lại, SO để xem số."
    )
    talk.say(talk.word(told, station=talk.station))


def started(talk: Talk) -> None:
    told = N_("%(station)s: Số điện thoại này nhận tin nhắn về số thứ tự và lịch hẹn. Nhắn STOP để ngừng.")
    talk.say(talk.word(told, station=talk.station))


# My number


def _number(talk: Talk, _asked: Understood) -> None:
    found = theirs.turns(talk)
    talk.say(told(talk, found) if found else _nothing(talk))


def _nothing(talk: Talk) -> str:
    none = N_("%(station)s: Chưa thấy số nào của số điện thoại này từ hôm nay trở đi.")
    register = N_("Đăng ký: %(url)s")
    url = f"{talk.config.web.base_url}/dang-ky"
    return fitted([talk.word(none, station=talk.station), talk.word(register, url=url)])


def told(talk: Talk, found: Sequence[Turn]) -> str:
    """The turns as far as one part holds them: the first in full, and of the others how many and where."""
    first, rest = found[0], found[1:]
    link = talk.word(N_("Xem: %(url)s"), url=f"{talk.config.web.base_url}{first.page}")
    if not rest:
        return fitted([_full(talk, first), link])
    for shown in range(min(len(found), 4), 0, -1):
        head = " ".join(_brief(talk, one) for one in found[:shown])
        tail = _others(talk, len(found) - shown, first)
        if size(f"{head} {tail}") <= ROOM:
            return f"{head} {tail}".strip()
    return fitted([_brief(talk, first), _many(talk, len(rest))])


def _others(talk: Talk, n: int, first: Turn) -> str:
    url = f"{talk.config.web.base_url}{first.page}"
    if not n:
        return talk.word(N_("Xem: %(url)s"), url=url)
    return talk.word(N_("Và %(n)d số khác, xem: %(url)s"), n=n, url=url)


def _many(talk: Talk, n: int) -> str:
    return talk.word(N_("Và %(n)d số khác."), n=n)


def _full(talk: Talk, one: Turn) -> str:
    """ "So 042 (N. T. AN): hen 07:30 25/11 tai Diem cap can cuoc An My. Con 5 nguoi phia truoc." """
    named = talk.named(one.site, PLACE)
    who = f" ({one.name})" if one.name else ""
    if one.ticket is None:
        appointed = N_("%(who)sHẹn %(time)s %(date)s tại %(place)s. Số được báo lúc %(at)s chiều hôm trước.")
        return talk.word(appointed, who=f"{one.name}: " if one.name else "", place=named, **_when(talk, one))
    if one.slot_at is None:
        head = talk.word(N_("Số %(number)s%(who)s tại %(place)s."), number=one.number, who=who, place=named)
    else:
        booked = N_("Số %(number)s%(who)s: hẹn %(time)s %(date)s tại %(place)s.")
        head = talk.word(booked, number=one.number, who=who, place=named, **_when(talk, one))
    return fitted([head, _standing(talk, one)])


def _when(talk: Talk, one: Turn) -> dict[str, str]:
    at = one.slot_at or 0
    return {
        "time": talk.clock(at),
        "date": talk.day(at),
        "at": talk.config.timetable.number_at.strftime("%H:%M"),
    }


def _brief(talk: Talk, one: Turn) -> str:
    """ "042: 07:30 25/11, con 5 nguoi phia truoc." """
    if one.ticket is None:
        return talk.word(N_("Hẹn %(time)s %(date)s, chưa có số."), **_when(talk, one))
    if one.ticket.state == State.BOOKED and one.slot_at:
        return talk.word(N_("Số %(number)s: %(time)s %(date)s."), number=one.number, **_when(talk, one))
    return f"{talk.word(N_('Số %(number)s:'), number=one.number)} {_standing(talk, one)}"


def _standing(talk: Talk, one: Turn) -> str:
    state = State(one.ticket.state)
    if state is State.BOOKED and (one.slot_at or 0) < talk.now:
        return talk.word(N_("Đã đến giờ hẹn, mời báo có mặt."))
    if state is State.BOOKED:
        return talk.word(N_("Mời đến sớm 5 phút và báo có mặt."))
    if state is State.WAITING:
        if one.ahead is None:
            return talk.word(N_("Đang chờ đến lượt."))
        return talk.word(N_("Còn %(n)d người phía trước."), n=one.ahead)
    if state is State.NO_SHOW:
        return talk.word(N_("Đã gọi nhưng vắng mặt, mời báo lại tại quầy."))
    row = one.ticket.counter_id and talk.session.get(tables.Counter, one.ticket.counter_id)
    desk = plain(wording.counter_name(row.label, talk.language)) if row else ""
    if state is State.SERVING:
        return talk.word(N_("Đang làm thủ tục."))
    return (
        talk.word(N_("Đang gọi, mời đến %(desk)s."), desk=clipped(desk, 20))
        if desk
        else talk.word(N_("Đang gọi."))
    )


# Giving it up


def _cancel(talk: Talk, asked: Understood) -> None:
    found = theirs.turns(talk)
    mine = [one for one in found if one.may_cancel]
    if asked.argument:
        return _give_up(talk, asked.argument, theirs.named(found, asked.argument))
    if not mine:
        return talk.say(_none_to_cancel(talk, found))
    return talk.say(_which(talk, mine))


def _none_to_cancel(talk: Talk, found: Sequence[Turn]) -> str:
    """Who has no number yet gives their hour up on its page: it leads there only from their own phone."""
    early = next((one for one in found if one.ticket is None), None)
    if early is None:
        return talk.word(N_("%(station)s: Không có số nào huỷ được bằng tin nhắn."), station=talk.station)
    url = f"{talk.config.web.base_url}{early.page}"
    when = talk.word(N_("Hẹn %(time)s %(date)s, chưa có số."), **_when(talk, early))
    return fitted([when, talk.word(N_("Huỷ tại: %(url)s"), url=url)])


def _which(talk: Talk, mine: Sequence[Turn]) -> str:
    """Which one, by the words to send; a number that two turns have is given up on its page."""
    if len(mine) == 1:
        one = mine[0]
        when = f", {talk.clock(one.slot_at)} {talk.day(one.slot_at)}" if one.slot_at else ""
        asks = N_(
            "Huỷ số %(number)s%(when)s? Trả lời HUY %(number)s để xác nhận. Huỷ rồi không lấy lại được."
        )
        return talk.word(asks, number=one.number, when=when)
    named = list(dict.fromkeys(one.number for one in mine))[:ASKED]
    if len(named) == 1:
        return _alike(talk, mine)
    commands = talk.word(N_("HUY")), talk.word(N_("hoặc"))
    listed = f" {commands[1]} ".join(f"{commands[0]} {number}" for number in named)
    return talk.word(N_("Huỷ số nào? Trả lời: %(listed)s. Huỷ rồi không lấy lại được."), listed=listed)


def _alike(talk: Talk, found: Sequence[Turn]) -> str:
    """Turns that all have one number, on several days or at several places."""
    url = f"{talk.config.web.base_url}{found[0].page}"
    alike = talk.word(N_("Có %(n)d số %(number)s, chưa huỷ số nào."), n=len(found), number=found[0].number)
    return fitted([alike, talk.word(N_("Huỷ tại: %(url)s"), url=url)])


def _give_up(talk: Talk, argument: str, found: Sequence[Turn]) -> None:
    number = argument[:6]
    if not found:
        unknown = N_("Số điện thoại này không có số %(number)s nào. Nhắn SO để xem số.")
        return talk.say(talk.word(unknown, number=number))
    if len(found) > 1:
        return talk.say(_alike(talk, found))
    one = found[0]
    if not (one.may_cancel and _cancelled(talk, one)):
        late = N_("Không huỷ được số %(number)s nữa: số đã được gọi hoặc đã xong.")
        return talk.say(talk.word(late, number=one.number))
    done = N_("Đã huỷ số %(number)s. Chỗ này được nhường cho người khác. Cảm ơn ông/bà đã báo.")
    return talk.say(talk.word(done, number=one.number))


def _cancelled(talk: Talk, one: Turn) -> bool:
    policy = notices.policy(talk.config)
    talk.acted = True
    if one.registration is not None and one.applicant is not None:
        return bool(
            registrations.cancel(talk.session, one.registration, [one.applicant.id], policy, talk.now, BY)
        )
    if queue.cancel(talk.session, one.ticket.id, talk.now, BY) is None:
        return False
    notices.cancel_for_ticket(talk.session, one.ticket.id, talk.now, policy)
    return True


_ANSWERS: Mapping[Intent, Callable[[Talk, Understood], None]] = {
    Intent.NUMBER: _number,
    Intent.CANCEL: _cancel,
    Intent.MENU: _help,
}
