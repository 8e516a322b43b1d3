"""One press is one number, in the journal before it is anywhere else."""

import os
from dataclasses import replace

import pytest

from kiosk import journal, paper, press, state

DAY = 86_400


def numbers(kiosk):
    return [event["number"] for event in kiosk.events()]


def test_numbers_start_at_001_and_go_up_by_one(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    for n in range(3):
        kiosk.press(press_id=f"press-id-{n}")
    assert numbers(kiosk) == ["B001", "B002", "B003"]


def test_the_event_is_as_the_gateway_expects_it(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    event = dict(kiosk.press(priority=True, language="en", press_id="press-id-1").event)
    assert len(event.pop("id")) == 32
    assert len(event.pop("token")) == 22
    assert event == {
        "seq": 1, "type": "ticket.issued", "at": "2026-11-24T12:00:00.000+07:00", "boot": "boot-1",
        "monotonic": 1000.0, "series": "B", "n": 1, "number": "B001", "day": "2026-11-24", "service": "new",
        "priority": True, "phone": None, "language": "en",
    }  # fmt: skip


def test_the_same_press_again_is_the_same_ticket(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    first = kiosk.press(press_id="press-id-1")
    again = kiosk.press("renew", press_id="press-id-1")
    assert (again.event, again.repeated) == (first.event, True)
    assert numbers(kiosk) == ["B001"]
    assert len(kiosk.spool.tickets) == 1


def test_the_same_press_is_the_same_ticket_also_after_a_restart_and_a_rotation(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    first = kiosk.press(press_id="press-id-1")
    kiosk.book.close()
    kiosk = kiosk_in(tmp_path, machine)
    assert kiosk.press(press_id="press-id-1").event == first.event
    kiosk.desk.hand_over()
    kiosk.book.ack(1)
    kiosk.book._size = journal.SEGMENT_BYTES
    kiosk.press(press_id="press-id-2")
    assert [record.seq for record in kiosk.book.records] == [2]
    kiosk.book.close()
    kiosk = kiosk_in(tmp_path, machine)
    assert kiosk.press(press_id="press-id-1").event == first.event
    assert kiosk.press(press_id="press-id-3").event["number"] == "B003"


def test_a_button_pressed_twice_within_two_seconds_is_one_ticket(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.press()
    machine.pass_(1.9)
    assert kiosk.press().code == "too_soon"
    machine.pass_(0.2)
    assert kiosk.press().event["number"] == "B002"


def test_the_record_is_synced_before_the_printer_is_told(tmp_path, machine, kiosk_in):
    steps = []

    def sync(handle):
        steps.append("sync " + os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))
        os.fsync(handle)

    class Spool:
        def submit(self, key, ticket, copy=1, *, now):
            on_disk = [record.event["number"] for record in journal.read(tmp_path)[0]]
            steps.append(f"print {ticket.number}, on disk {on_disk}")

    kiosk = kiosk_in(tmp_path, machine, spool=Spool(), book={"sync": sync})
    steps.clear()
    kiosk.press(press_id="press-id-1")
    assert steps == ["sync 000000000001.log", "print B001, on disk ['B001']"]


def test_a_new_day_starts_at_001(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.press(press_id="press-id-1")
    machine.pass_(DAY)
    kiosk.known = state.Known(kiosk.known.state, None)
    kiosk.press(press_id="press-id-2")
    assert [(event["day"], event["number"]) for event in kiosk.events()] == [
        ("2026-11-24", "B001"), ("2026-11-25", "B001"),
    ]  # fmt: skip


@pytest.mark.parametrize("back", [60, DAY, 400 * DAY])
@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_goes_back_never_gives_a_number_twice(tmp_path, machine, kiosk_in, back, restart):
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.press(press_id="press-id-1")
    machine.set(machine.reading.wall - back, synced=False)
    if restart:
        kiosk.book.close()
        kiosk = kiosk_in(tmp_path, machine)
    kiosk.known = replace(kiosk.known, heard=machine.reading.monotonic)
    kiosk.press(press_id="press-id-2")
    assert [(event["day"], event["number"]) for event in kiosk.events()] == [
        ("2026-11-24", "B001"), ("2026-11-24", "B002"),
    ]  # fmt: skip


def test_a_clock_that_once_stood_years_ahead_does_not_keep_the_kiosk_there(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.press(press_id="press-id-1")
    right = machine.reading.wall
    machine.set(right + 1000 * DAY, synced=False)
    kiosk.press(press_id="press-id-2")
    machine.set(right, synced=True)
    kiosk.press(press_id="press-id-3")
    assert [(event["day"], event["number"]) for event in kiosk.events()] == [
        ("2026-11-24", "B001"), ("2029-08-20", "B001"), ("2026-11-24", "B002"),
    ]  # fmt: skip


def test_what_a_crash_left_unprinted_is_printed_once(tmp_path, machine, kiosk_in):
    class Broken:
        def submit(self, *args, **more):
            raise OSError("the power fails here")

    kiosk = kiosk_in(tmp_path, machine, spool=Broken())
    assert kiosk.press(press_id="press-id-1").event["number"] == "B001"
    kiosk.book.close()
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.desk.hand_over()
    kiosk.desk.hand_over()
    assert [ticket.number for ticket in kiosk.spool.tickets.values()] == ["B001"]
    assert kiosk.spool.submissions == 1


def test_a_paper_that_came_out_is_not_handed_over_again_at_the_next_start(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    event = kiosk.press(press_id="press-id-1").event
    kiosk.trail.job(_job(event))
    kiosk.book.close()
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.desk.hand_over()
    assert kiosk.spool.submissions == 0


def _job(event, **changes):
    made = paper.jobs.Job(paper.key(event), 1, paper.jobs.CONFIRMED, "", "gsH", 0, 0, 1, None)
    return replace(made, **changes)


def test_each_fact_about_a_paper_is_told_once(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    event = kiosk.press(press_id="press-id-1").event
    held = _job(event, state=paper.jobs.HELD, reason="paper", confirmed_by="")
    for job in (held, held, _job(event), _job(event), _job(event, copy=2)):
        kiosk.trail.job(job)
    kiosk.book.close()
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.trail.catch_up([_job(event), _job(event, copy=2)])
    facts = [(record.event["type"], record.event.get("copy")) for record in kiosk.book.records[1:]]
    assert facts == [("ticket.held", 1), ("ticket.printed", 1), ("ticket.reprinted", 2)]


def test_a_full_disk_gives_no_number_and_does_not_skip_one(tmp_path, machine, kiosk_in):
    full = False

    def sync(handle):
        if full:
            raise OSError(28, "No space left on device")

    kiosk = kiosk_in(tmp_path, machine, book={"sync": sync})
    full = True
    answer = kiosk.press(press_id="press-id-1")
    assert (answer.code, kiosk.spool.tickets) == ("journal", {})
    full = False
    assert kiosk.press(press_id="press-id-1").event["number"] == "B001"


def test_nothing_is_given_for_an_unknown_service(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    answer = kiosk.press("passport", press_id="press-id-1")
    assert (answer.code, numbers(kiosk)) == ("unknown_service", [])
    assert answer.text["vi"] == "Máy này không có thủ tục đó."
    assert answer.text["en"] == "This kiosk does not have that service."


def test_a_closed_station_says_why_and_gives_nothing(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    reasons = {"reason_vi": "Đã hết chỗ hôm nay", "reason_en": "Full today"}
    shut = replace(kiosk.known.state.shift, open=False, **reasons)
    kiosk.known = replace(kiosk.known, state=replace(kiosk.known.state, shift=shut))
    answer = kiosk.press(press_id="press-id-1")
    assert answer == press.Declined("closed", {"vi": "Đã hết chỗ hôm nay", "en": "Full today"})
    assert numbers(kiosk) == []


def test_without_the_gateway_todays_hours_count_and_an_unknown_day_is_served(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.known = replace(kiosk.known, heard=None)
    assert kiosk.press(press_id="press-id-1").event["number"] == "B001"
    machine.pass_(4 * 3600)  # past closing, still today
    assert kiosk.press(press_id="press-id-2").code == "closed"
    machine.pass_(16 * 3600)  # the next morning
    assert kiosk.press(press_id="press-id-3").event["day"] == "2026-11-25"


def test_the_paper_counts_those_the_gateway_has_not_heard_of(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.press(press_id="press-id-1")
    kiosk.press("renew", press_id="press-id-2")
    kiosk.press(press_id="press-id-3")
    kiosk.press(press_id="press-id-4", priority=True)
    kiosk.known = replace(kiosk.known, heard=None)
    kiosk.press(press_id="press-id-5")
    papers = list(kiosk.spool.tickets.values())
    assert [ticket.ahead for ticket in papers] == [5, 1, 7, None, None]
    assert [ticket.eta for ticket in papers] == ["13:00–13:06", "", "", "", ""]


def test_the_address_on_the_paper_is_the_persons_own_page(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    event = kiosk.press(press_id="press-id-1").event
    [paper_] = kiosk.spool.tickets.values()
    assert paper_.url == f"http://127.0.0.1:8080/p/{event['token']}"
    assert (paper_.number, paper_.service) == ("B001", "Cấp căn cước lần đầu")


def test_a_time_nobody_vouches_for_is_not_printed(tmp_path, machine, kiosk_in):
    machine.set(machine.reading.wall, synced=False)
    kiosk = kiosk_in(tmp_path, machine)
    kiosk.press(press_id="press-id-1")
    [paper_] = kiosk.spool.tickets.values()
    assert paper_.issued_at == ""


def test_a_kiosk_without_a_screen_gives_no_number_it_cannot_print(tmp_path, machine, kiosk_in):
    reason = {"vi": "Máy in hết giấy.", "en": "The printer is out of paper."}
    kiosk = kiosk_in(tmp_path, machine, unready=lambda: reason)
    assert kiosk.press(press_id="press-id-1") == press.Declined("printer", reason)
    assert numbers(kiosk) == []
