"""Every answer to a text message is one part in plain letters, with the longest names, places and addresses."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, example, tables
from gateway.rules.lifecycle.ticket import State
from gateway.rules.sms import alphabet, segments
from tests.gateway.texting import AN, BINH, Phones

NAME = "Công Tằng Tôn Nữ Hoàng Phương Nghiêng"
PLACE = "Trung tâm Văn hoá – Thể thao phường Hoà Xuân, quận Cẩm Lệ (cơ sở 2)"
PLACE_EN = "Hoa Xuan Ward Culture and Sports Centre, Cam Le (second building)"
BASE = "https://layso.catp-hoaxuan.danang.gov.vn:8443"


@pytest.fixture
def config(config):
    own = config.station.model_copy(update={"short_name": "CA HOA XUAN"})
    web = config.web.model_copy(update={"base_url": BASE})
    sms = config.sms.model_copy(update={"providers": ("modem",)})
    return config.model_copy(update={"station": own, "web": web, "sms": sms})


@pytest.fixture
def phones(sqlite, config, eight):
    with database.writing(sqlite) as session:
        example.load(session, config, eight)
        site = session.scalars(select(tables.Site)).first()
        site.name, site.name_en = PLACE, PLACE_EN
        counter = session.scalars(select(tables.Counter)).first()
        counter.label = "Bàn tiếp nhận số 12"
    return Phones(sqlite, config, [eight])


def people(phones, states, language, phone=AN, first=1040):
    """Somebody for each state, registered together; None has no number yet."""
    with database.writing(phones.engine) as session:
        shift = session.scalars(select(tables.Shift).order_by(tables.Shift.opens_at.desc())).first()
        made = tables.Registration(
            token="W" * 22, contact_name=NAME, phone=phone, language=language, shift_id=shift.id,
            consent_text="", consent_at=0, created_at=0,
        )  # fmt: skip
        session.add(made)
        session.flush()
        for place, state in enumerate(states):
            _person(session, made, shift, place, state, first, phones.now[0])


def _person(session, made, shift, place, state, first, now):
    service = session.scalars(select(tables.Service.id)).first()
    one = tables.Applicant(
        registration_id=made.id, shift_id=shift.id, slot_at=shift.opens_at, position=place, name=NAME,
        service_id=service, state="numbered" if state else "registered",
    )  # fmt: skip
    session.add(one)
    session.flush()
    if state:
        counter = session.scalars(select(tables.Counter.id)).first()
        at_counter = state in (State.CALLED, State.SERVING)
        session.add(
            tables.Ticket(
                token=f"{place:022d}", site_id=shift.site_id, day=shift.day, series="A", n=first + place,
                number=f"A{first + place}", source="booked", service_id=service, applicant_id=one.id,
                language=made.language, slot_at=shift.opens_at, created_at=now, state=state, base=now, due=now,
                seq=place, called_at=now, started_at=now, counter_id=counter if at_counter else None,
            )
        )  # fmt: skip


LIVE = (State.BOOKED, State.WAITING, State.CALLED, State.SERVING, State.NO_SHOW)
CASES = [
    *((state,) for state in LIVE),
    (None,),
    (None, None),
    (None, *LIVE),
    (State.BOOKED,) * 2,
    (State.BOOKED,) * 12,
    (State.WAITING,) * 12,
    (State.NO_SHOW,) * 5,
    (),
]


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    "states", CASES, ids=lambda states: "-".join(one or "registered" for one in states)[:40]
)
def test_every_answer_is_one_part_in_plain_letters(phones, states, language):
    if states:
        people(phones, states, language)
    asked = ["HELP", "SO", "HUY", "HUY A1040", "HUY 99999", "STOP", "SO", "START"]
    for n, text in enumerate(asked):
        phones.now[0] += 3_601 if n else 0  # five an hour
        assert phones.text(text), text
    for answer in phones.answers():
        cut = segments.split(answer.text)
        assert (cut.alphabet, len(cut.parts)) == (alphabet.Alphabet.GSM7, 1), answer.text
        assert "%" not in answer.text and "  " not in answer.text


def test_a_number_is_never_dropped_however_long_the_station_s_address(phones, config):
    long = config.web.model_copy(update={"base_url": "https://" + "a" * 300 + ".vn"})
    phones.config = config.model_copy(update={"web": long})
    people(phones, (State.WAITING,) * 12, "vi")
    (answer,) = phones.text("SO")
    assert answer.startswith("So A1040: Con 0 nguoi phia truoc.") and answer.endswith("Va 11 so khac.")
    assert phones.text("SO", BINH)[0].endswith("tu hom nay tro di.")
