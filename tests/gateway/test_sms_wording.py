"""A standard notice as a text message is one part without its accents, with the longest values that are real."""

from __future__ import annotations

import itertools
import secrets
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules import names, wording
from gateway.rules.sms import alphabet, segments
from gateway.web import language

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
STATION = "CA HOAKHANH"  # eleven letters, as many as a brandname has
HOST = "https://hen.congan-hoakhanh.danang.gov.vn"
NAMES = (
    "Công Tằng Tôn Nữ Thị Hồng Nghiêng",
    "Nguyễn Hoàng Phương Thảo Nguyên",
    "H'Hen Niê Kđăm",
    "Trần An",
)
PLACES = (
    "Trung tâm Văn hoá - Thể thao phường Hoà Khánh Bắc",
    "Điểm cấp căn cước Công an phường Hoà Hương",
    "Nhà văn hoá tổ dân phố số 12 phường Tân Thạnh",
    "Trung tâm Phục vụ hành chính công thành phố Tam Kỳ",
    "Uỷ ban nhân dân xã Tam Ngọc",
    "An My identity-card site",
)
ADDRESSES = ("123 Nguyễn Lương Bằng, phường Hoà Khánh Bắc", "85 Phan Châu Trinh")
LONGEST = {
    "number": "B999",
    "time": "2026-11-24T14:30:00+07:00",
    "counter": "Counter 10",
    "minutes": "120",
    "what": "undelivered",
    "channel": "speedsms",
}


def told(kind, name, place, address):
    """What a notice is filled with, as the worker fills it."""
    link = HOST if kind == "round" else f"{HOST}/p/{secrets.token_urlsafe(16)}"
    own = {"name": name, "place": place, "address": address, "url": link}
    return wording.fields(LONGEST | own, ZONE) | {"station": STATION}


def sent(kind, tongue, given, unaccented=True):
    pattern = language.catalogue(tongue).gettext(wording.of_a_text(kind))
    return wording.text_message(pattern, given, unaccented)


@pytest.mark.parametrize("tongue", ["vi", "en"])
@pytest.mark.parametrize("kind", wording.TEXT)
def test_a_standard_notice_is_one_part_with_the_longest_real_values(kind, tongue):
    assert len(STATION) == 11 and len(HOST) > 40
    for name, place, address in itertools.product(NAMES, PLACES, ADDRESSES):
        if kind == "round":
            place = f"{place}, {address}"
        given = told(kind, name, place, address)
        text = sent(kind, tongue, given)
        for form in (text, alphabet.safe(text)):  # as a modem sends it, and as a brandname's vendor wants it
            seen = segments.count(form)
            assert (seen.alphabet, seen.parts) == (alphabet.Alphabet.GSM7, 1), form
        kept = [
            given[field]
            for field in ("number", "counter", "url")
            if f"{{{field}}}" in wording.of_a_text(kind)
        ]
        assert all(alphabet.unaccent(one) in text for one in kept), text
        if "{time}" in wording.of_a_text(kind):
            assert "14:30 24/11" in text


def test_what_fits_as_it_is_stays_as_it_is():
    given = told("near", "Nguyễn Thị Hương", "Nhà văn hoá phường An Xuân", "")
    assert sent("near", "vi", given) == (
        "CA HOAKHANH: Sap den luot so B999. Moi den khu vuc cho tai Nha van hoa phuong An Xuan."
    )


def test_what_it_is_filled_with_is_shortened_in_order_and_only_as_far_as_needed():
    def link(letters):
        return {
            "station": "CA", "name": names.shown("Nguyễn Thị Hương"), "number": "042", "time": "14:30",
            "date": "24/11/2026", "place": "Trung tâm Văn hoá phường An Xuân và đường Hùng Vương", "url": "u" * letters,
        }  # fmt: skip

    def starts(letters):
        text = sent("appointment", "vi", link(letters))
        assert text.endswith(" " + "u" * letters)
        return text.removesuffix(" " + "u" * letters)

    place = "Trung tam Van hoa phuong An Xuan va duong Hung Vuong"
    whole = f"CA: Lich hen N. T. HUONG: so 042, 14:30 24/11/2026 tai {place}."
    assert starts(159 - len(whole)) == whole
    assert starts(160 - len(whole)) == whole.replace("/2026", "")
    assert starts(160 - len(whole) + 5) == whole.replace("/2026", "").replace("N. T. ", "N.T.")
    assert starts(160 - len(whole) + 10) == (
        "CA: Lich hen N.T.HUONG: so 042, 14:30 24/11 tai TT Van hoa P.An Xuan va D.Hung Vuong."
    )
    assert starts(78) == "CA: Lich hen N.T.HUONG: so 042, 14:30 24/11 tai TT Van hoa P.An Xuan va D.Hung..."


def test_what_can_be_no_single_part_is_shortened_no_further_than_saves_a_part():
    given = {"station": "CA", "place": "Trung tâm", "url": "u" * 200, "date": "24/11/2026"}
    assert "Trung tam" in wording.text_message("{place} {date} {url}", given, True)
    assert "24/11/2026" in wording.text_message("{place} {date} {url}", given, True)


def test_a_number_an_hour_and_a_link_are_never_cut():
    given = {"number": "B017", "time": "14:30", "place": "ế" * 200, "url": "u" * 150}
    text = wording.text_message("{number} {time} {place} {url}", given, True)
    assert text.startswith("B017 14:30 ") and text.endswith("u" * 150)


def test_with_accents_a_text_keeps_them():
    given = told("missed", "Trần An", PLACES[0], "")
    text = sent("missed", "vi", given, unaccented=False)
    assert text == "CA HOAKHANH: Số B999 đã được gọi nhưng vắng mặt. Mời báo lại tại quầy trong 120 phút."


@given(st.dictionaries(st.sampled_from(["name", "place", "date", "url", "station"]), st.text(max_size=300)))
def test_shortening_never_costs_a_part_more_than_the_words_as_they_are(given):
    pattern = "{station}: {name} {date} {place}. {url}"
    plain = alphabet.unaccent(wording.filled(pattern, given))
    assert segments.count(wording.text_message(pattern, given, True)).parts <= segments.count(plain).parts


def test_the_fields_of_a_pattern():
    assert wording.named("{station}: {name} {{x}}") == {"station", "name"}
    with pytest.raises(ValueError):
        wording.named("a } b")
