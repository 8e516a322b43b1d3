"""What the program answers by itself, each in one message: short, polite, and only what it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from gateway import followers, registrations, tables
from gateway.chat import acting, conversations, links, theirs
from gateway.chat.talk import Talk, asks, opens
from gateway.rules import chat as rules
from gateway.rules import phone
from gateway.rules.chat import Intent, Understood
from gateway.rules.wording import N_

ACKNOWLEDGED_SECONDS = 12 * 3_600
DAYS_AHEAD = 30
LONGEST = 1_900
PASSED_ON = N_("Đã chuyển tin nhắn của Quý công dân đến cán bộ.")


def answer(talk: Talk, asked: Understood) -> bool:
    """Answer what was understood; False if it is for a person."""
    act = _ANSWERS.get(asked.intent)
    if act is None:
        return False
    act(talk, asked)
    return True


def hand_over(talk: Talk, text: str) -> None:
    """A person is needed. They are told so once in twelve hours, and not for a thank-you or a picture of a smile."""
    conversation = talk.conversation
    taken = bool(conversation.assigned_to)
    conversations.handed_over(talk.session, conversation, text, talk.now)
    if taken or not talk.may_answer():
        return
    spoken = _said_lately(talk, conversation)
    idle = not text or rules.courteous(text)
    if (idle and spoken) or any(_is_acknowledgement(talk, one) for one in spoken):
        return
    talk.say(f"{talk.word(PASSED_ON)} {_office_hours(talk)}")


def _said_lately(talk: Talk, conversation: tables.Conversation) -> list[str]:
    """What the page said in this conversation in the last twelve hours."""
    wanted = select(tables.ChatMessage.text).filter_by(conversation_id=conversation.id, way="out")
    lately = wanted.where(tables.ChatMessage.at > talk.now - ACKNOWLEDGED_SECONDS)
    return list(talk.session.scalars(lately.order_by(tables.ChatMessage.id.desc()).limit(100)))


def _is_acknowledgement(talk: Talk, text: str) -> bool:
    return any(text.startswith(talk.words(language, PASSED_ON)) for language in ("vi", "en"))


def _office_hours(talk: Talk) -> str:
    """When somebody will read it."""
    wanted = select(tables.Shift).filter_by(state="open").where(tables.Shift.closes_at > talk.now)
    shift = talk.session.scalar(wanted.order_by(tables.Shift.opens_at).limit(1))
    if shift is None:
        return talk.word(N_("Cán bộ trả lời trong giờ làm việc."))
    told = N_("Cán bộ trả lời trong giờ làm việc: %(from)s–%(to)s %(day)s.")
    return talk.word(
        told,
        **{"from": talk.clock(shift.opens_at), "to": talk.clock(shift.closes_at), "day": talk.day(shift.day)},
    )


def welcome(talk: Talk) -> None:
    """The first word to somebody new."""
    told = N_(
        "Kính chào Quý công dân. Đây là trang Zalo của %(station)s. Ông/bà cần gì, xin chọn hoặc nhắn tin:"
    )
    talk.say(talk.word(told, station=talk.station), menu_buttons(talk))


def menu_buttons(talk: Talk) -> list[dict[str, Any]]:
    return [
        asks(talk.word(N_("Đăng ký lấy số")), "#dangky"),
        asks(talk.word(N_("Số của tôi")), "#so"),
        asks(talk.word(N_("Giờ và địa điểm")), "#gio"),
        asks(talk.word(N_("Giấy tờ cần mang")), "#giayto"),
        asks(talk.word(N_("Gặp cán bộ")), "#nguoi"),
    ]


def _menu(talk: Talk, _asked: Understood) -> None:
    told = N_(
        "Ông/bà có thể chọn bên dưới, hoặc nhắn: “đăng ký”, “số của tôi”, “huỷ lịch”, “đổi ngày”, "
        "“tôi đã đến”, “giờ làm việc”, “giấy tờ”. Câu hỏi khác sẽ được chuyển đến cán bộ. For English, say “English”."
    )
    talk.say(talk.word(told), menu_buttons(talk))


def _register(talk: Talk, _asked: Understood) -> None:
    url = links.link(talk.session, talk.config, talk.user.id, talk.language, talk.now)
    told = N_(
        "Mời bấm nút dưới đây để đăng ký cho mình và người thân. Liên kết dành riêng cho ông/bà, dùng một lần, "
        "trong 24 giờ."
    )
    talk.say(talk.word(told), [opens(talk.word(N_("Mở phiếu đăng ký")), url)])


def _number(talk: Talk, _asked: Understood) -> None:
    tell_numbers(talk)


def tell_numbers(talk: Talk, before: str = "") -> None:
    """Each of their turns: number, place, hour, people ahead and expected time."""
    found = theirs.turns(talk)
    if not found:
        return _nothing_found(talk, before)
    parts = [before] if before else []
    parts += [theirs.described(talk, one) for one in found[: theirs.SHOWN]]
    if any(not one.own for one in found):
        parts.append(talk.word(acting.SEEN_ONLY))
    return talk.say(_fitted(parts), _number_buttons(talk, found))


def _fitted(parts: list[str]) -> str:
    """As many paragraphs as one message holds, whole ones only."""
    text = ""
    for part in parts:
        if len(text) + len(part) + 2 > LONGEST:
            break
        text = f"{text}\n\n{part}" if text else part
    return text


def _number_buttons(talk: Talk, found: list[theirs.Turn]) -> list[dict[str, Any]]:
    """What can be done with one's own; a shared phone opens no pages."""
    own = [one for one in found if one.own]
    buttons = []
    if own:
        buttons.append(opens(talk.word(N_("Xem trên trang")), _page(talk, own[0])))
    if any(one.may_cancel for one in own):
        buttons.append(asks(talk.word(N_("Huỷ số")), "#huy"))
    if any(one.applicant and one.applicant.state == "registered" for one in own):
        buttons.append(asks(talk.word(N_("Đổi ngày")), "#doi"))
    arrives = [one for one in own if one.ticket and one.ticket.state in acting.ARRIVES]
    if any(one.ticket.day == talk.today for one in arrives):
        buttons.append(asks(talk.word(N_("Tôi đã đến")), "#toi"))
    return buttons


def _page(talk: Talk, one: theirs.Turn) -> str:
    base = talk.config.web.base_url
    return f"{base}/r/{one.registration.token}" if one.registration else f"{base}/p/{one.ticket.token}"


def _nothing_found(talk: Talk, before: str) -> None:
    told = N_("Chưa thấy số nào của ông/bà từ hôm nay trở đi.")
    buttons = [asks(talk.word(N_("Đăng ký lấy số")), "#dangky")]
    text = talk.word(told)
    if not talk.user.phone:
        more = N_("Nếu đã đăng ký bằng số điện thoại, xin chia sẻ số điện thoại để tìm.")
        text = f"{text} {talk.word(more)}"
        buttons.append(asks(talk.word(N_("Chia sẻ số điện thoại")), "#sdt"))
    buttons.append(asks(talk.word(N_("Gặp cán bộ")), "#nguoi"))
    talk.say(f"{before}\n\n{text}" if before else text, buttons)


def _share_phone(talk: Talk, _asked: Understood) -> None:
    told = talk.word(N_("Xin số điện thoại để tìm và báo số thứ tự. Số điện thoại chỉ dùng vào việc này."))
    attachment = {
        "kind": "ask_contact",
        "title": talk.station[:100],
        "subtitle": told,
        "image_url": f"{talk.config.web.base_url}/static/contact.png",
    }
    talk.say(told, attachment=attachment)


def shared(talk: Talk, e164: str | None) -> None:
    """They shared their phone: say which, and what is found with it."""
    if e164 is None:
        told = N_("Số điện thoại này không đúng hoặc không phải số di động Việt Nam. Xin thử lại.")
        return talk.say(talk.word(told), [asks(talk.word(N_("Chia sẻ số điện thoại")), "#sdt")])
    told = N_("Cảm ơn ông/bà. Đã ghi nhận số điện thoại %(phone)s.")
    return tell_numbers(talk, talk.word(told, phone=phone.masked(e164)))


def _hours(talk: Talk, _asked: Understood) -> None:
    """Today's and the next opening of each site."""
    sites = talk.session.scalars(select(tables.Site).filter_by(active=True).order_by(tables.Site.code)).all()
    shifts = talk.session.scalars(
        select(tables.Shift)
        .filter_by(state="open")
        .where(tables.Shift.closes_at > talk.now, tables.Shift.day <= talk.today + timedelta(days=DAYS_AHEAD))
        .order_by(tables.Shift.opens_at)
    ).all()
    parts = [_opening(talk, site, [one for one in shifts if one.site_id == site.id]) for site in sites]
    buttons = [
        opens(talk.word(N_("Bản đồ: %(place)s"), place=talk.named(site)), site.map_url)
        for site in sites
        if site.map_url.startswith(("https://", "http://"))
    ]
    text = _fitted(parts) or talk.word(N_("Hiện chưa có điểm làm thủ tục nào mở."))
    talk.say(text, [*buttons[:4], asks(talk.word(N_("Đăng ký lấy số")), "#dangky")])


def _opening(talk: Talk, site: tables.Site, shifts: list[tables.Shift]) -> str:
    lines = [talk.named(site), site.address]
    today = [one for one in shifts if one.day == talk.today]
    later = next((one for one in shifts if one.day > talk.today), None)
    if today:
        times = ", ".join(f"{talk.clock(one.opens_at)}–{talk.clock(one.closes_at)}" for one in today)
        lines.append(talk.word(N_("Hôm nay: %(times)s"), times=times))
    if later:
        times = f"{talk.clock(later.opens_at)}–{talk.clock(later.closes_at)} {talk.day(later.day)}"
        lines.append(talk.word(N_("Ngày tới: %(times)s"), times=times))
    if not shifts:
        lines.append(talk.word(N_("Chưa có lịch làm việc sắp tới.")))
    return "\n".join(filter(None, lines))


def _documents(talk: Talk, _asked: Understood) -> None:
    """What to bring, for each service."""
    services = talk.session.scalars(
        select(tables.Service).filter_by(active=True).order_by(tables.Service.position)
    ).all()
    english = talk.language == "en"
    parts = [talk.word(N_("Giấy tờ cần mang theo:"))]
    for one in services:
        needed = (one.documents_en if english else "") or one.documents
        parts.append(f"• {talk.named(one)}: {needed}" if needed else f"• {talk.named(one)}")
    talk.say(_fitted(parts), [asks(talk.word(N_("Đăng ký lấy số")), "#dangky"), menu_buttons(talk)[-1]])


def _stop(talk: Talk, _asked: Understood) -> None:
    followers.tag(talk.session, talk.user.id, followers.NO_NEWS)
    told = N_("Đã ghi nhận: ông/bà không nhận tin chung nữa. Tin về số thứ tự của mình vẫn được gửi.")
    talk.say(talk.word(told))


def _language(talk: Talk, asked: Understood) -> None:
    if asked.argument in talk.config.station.languages:
        talk.user.language = asked.argument
        talk.session.flush()
    _menu(talk, asked)


_ANSWERS: Mapping[Intent, Callable[[Talk, Understood], None]] = {
    Intent.REGISTER: _register,
    Intent.NUMBER: _number,
    Intent.CANCEL: acting.cancel,
    Intent.MOVE: acting.move,
    Intent.HERE: acting.here,
    Intent.HOURS: _hours,
    Intent.DOCUMENTS: _documents,
    Intent.PHONE: _share_phone,
    Intent.MENU: _menu,
    Intent.STOP: _stop,
    Intent.LANGUAGE: _language,
}


def confirmed(talk: Talk, made: tables.Registration) -> None:
    """A registration through the link is done: when, where, when the number comes, and how to change it."""
    people = registrations.people_of(talk.session, made)
    shift = talk.session.get_one(tables.Shift, people[0].shift_id)
    site = talk.session.get_one(tables.Site, shift.site_id)
    told = N_("Đã đăng ký %(n)d người: %(hour)s tại %(place)s.")
    parts = [talk.word(told, n=len(people), hour=talk.hour(people[0].slot_at), place=talk.named(site))]
    parts += [site.address] if site.address else []
    if all(one.state == "registered" for one in people):
        eve = talk.day(shift.day - timedelta(days=1))
        at = talk.config.timetable.number_at.strftime("%H:%M")
        parts.append(talk.word(N_("Số thứ tự sẽ được báo từ %(time)s %(day)s."), time=at, day=eve))
    else:
        mine = [one for one in theirs.turns(talk) if one.registration and one.registration.id == made.id]
        parts += [one.title for one in mine if one.ticket]
    url = f"{talk.config.web.base_url}/r/{made.token}"
    manage = opens(talk.word(N_("Xem hoặc huỷ đăng ký")), url)
    talk.say("\n".join(parts), [manage, asks(talk.word(N_("Số của tôi")), "#so")])
