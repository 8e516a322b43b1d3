import unicodedata

import pytest

from printers import ticket as tickets

GOOD = {"station": "Công an phường", "service": "Đổi căn cước", "number": "042", "place": "12 Lê Lợi",
        "url": "https://example.vn/p/a"}


def faults(document) -> list[str]:
    with pytest.raises(tickets.TicketError) as caught:
        tickets.Ticket.from_document(document)
    return [fault.field for fault in caught.value.faults]


def test_a_document_goes_in_and_comes_out_unchanged():
    document = {**GOOD, "ahead": 0, "eta": "09:40", "priority": True}
    assert tickets.Ticket.from_document(document).to_document() == document


def test_decomposed_letters_are_joined():
    ticket = tickets.Ticket.from_document({**GOOD, "name": unicodedata.normalize("NFD", "Nguyễn Thị Bình")})
    assert ticket.name == "Nguyễn Thị Bình"


def test_all_mistakes_are_named_at_once_in_both_languages():
    document = {"station": "", "number": "b 1", "place": "x" * 161, "url": "javascript:x", "ahead": -1,
                "priority": "yes", "nmae": "An"}
    with pytest.raises(tickets.TicketError) as caught:
        tickets.Ticket.from_document(document)
    assert {fault.field for fault in caught.value.faults} == {
        "'nmae'", "station", "service", "number", "place", "url", "ahead", "priority"}
    assert "có phải “name”?" in str(caught.value)
    assert "did you mean “name”?" in str(caught.value)


@pytest.mark.parametrize("text", ["An\x1b@", "An\x10\x05\x02", "An\x00", "An\n", "An\u202e", "An\x9b", "An\ud800"])
@pytest.mark.parametrize("field", ["station", "service", "number", "place", "url", "name", "footer", "eta", "time"])
def test_no_control_character_passes_in_any_field(field, text):
    assert faults({**GOOD, field: text}) == [field]


@pytest.mark.parametrize("field", tickets.LONGEST)
def test_every_text_has_a_longest_length(field):
    text = {"number": "1", "url": "https://e.vn/"}.get(field, "")
    assert faults({**GOOD, field: text + "1" * tickets.LONGEST[field]}) == [field] if text else True
    assert faults({**GOOD, field: "1" * (tickets.LONGEST[field] + 1)}) == [field]


@pytest.mark.parametrize("document", [None, [], "B017", 7])
def test_what_is_no_object_is_no_ticket(document):
    assert len(faults(document)) == 1


def test_a_true_is_no_number_of_people():
    assert faults({**GOOD, "ahead": True}) == ["ahead"]


def test_a_reprint_differs_only_by_its_mark():
    ticket = tickets.Ticket.from_document(GOOD)
    assert tickets.marked_reprint(ticket).to_document() == {**GOOD, "reprint": True}
