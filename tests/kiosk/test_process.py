"""The real program in its own process: commands, crashes, the printer and the gateway."""

import signal
import threading
import time

import pytest
import requests

from kiosk import journal, paper

pytestmark = pytest.mark.processes


def test_a_press_prints_a_paper_and_the_gateway_hears_of_both(station):
    station.start()
    station.until(lambda now: now["online"] and now["printer"]["ready"])
    number = station.press("press-id-1").json()["number"]
    assert station.printer.wait_for(1, 30)
    station.gateway.wait(lambda them: any(e["type"] == "ticket.printed" for e in them.events.values()))
    [issued] = station.gateway.issued()
    printed = next(e for e in station.gateway.events.values() if e["type"] == "ticket.printed")
    assert (number, issued["number"], printed["number"], printed["copy"]) == ("B001", "B001", "B001", 1)
    assert printed["confirmed_by"] == "gsH"
    assert station.end() == 0
    assert station.printer.unknown == 0


def test_killed_in_the_middle_of_presses_no_number_is_lost_and_none_comes_twice(station):
    answered: dict[str, str] = {}
    for life in range(3):
        station.start()
        station.until(lambda now: now["services"])
        enough = threading.Event()

        def someone(name, life=life, enough=enough):
            for n in range(1000):
                press_id = f"press-{life}-{name}-{n}"
                try:
                    answered[press_id] = station.press(press_id).json()["number"]
                except requests.RequestException:
                    return
                if len(answered) >= 12 * (life + 1):
                    enough.set()

        people = [threading.Thread(target=someone, args=(name,)) for name in ("an", "binh", "chi")]
        for person in people:
            person.start()
        assert enough.wait(60)
        station.end(signal.SIGKILL)
        for person in people:
            person.join()
    station.start()
    for press_id, number in answered.items():
        assert station.press(press_id).json()["number"] == number
    issued = [record.event for record in station.records() if record.event["type"] == paper.ISSUED]
    numbers = [event["number"] for event in issued]
    assert numbers == [f"B{n:03d}" for n in range(1, len(numbers) + 1)]
    assert set(answered.values()) <= set(numbers)
    assert len(set(answered.values())) == len(answered)
    station.gateway.wait(lambda them: len(them.issued()) == len(numbers), 60)
    assert [event["id"] for event in station.gateway.issued()] == [event["id"] for event in issued]


def test_a_ticket_journalled_just_before_the_power_went_is_printed_at_the_next_start(station):
    station.start()
    station.until(lambda now: now["services"])
    station.end()
    book = journal.Journal(station.folder / "kiosk" / "journal" / "K1")
    document = {"station": "Công an", "service": "Cấp mới", "number": "B001", "place": "Tầng 1",
                "url": "http://127.0.0.1/p/x"}  # fmt: skip
    book.append(
        {"id": "a" * 32, "type": "ticket.issued", "series": "B", "n": 1, "number": "B001", "service": "new",
         "day": paper.clock.day(time.time())},
        {"press_id": None, "document": document},
    )  # fmt: skip
    book.close()
    station.start()
    assert station.printer.wait_for(1, 30)
    station.until(lambda now: now["last"]["number"] == "B001" and now["unsent"] == 0)
    assert station.end() == 0
    station.start()
    station.until(lambda now: now["printer"]["ready"])
    assert station.press("press-id-1").json()["number"] == "B002"
    assert station.printer.wait_for(2, 30)
    assert station.end() == 0
    assert station.printer.cuts == 2


def test_without_paper_the_number_is_given_and_the_paper_follows(station):
    station.printer.fault("paper_out", True)
    station.start()
    found = station.until(lambda now: now["printer"]["paper"] == "out")
    assert found["signs"][0]["text"]["vi"].startswith("Máy in hết giấy. ")
    answer = station.press("press-id-1").json()
    assert (answer["number"], answer["paper"]) == ("B001", False)
    station.gateway.wait(lambda them: any(e["type"] == "ticket.held" for e in them.events.values()))
    station.printer.fault("paper_out", False)
    assert station.printer.wait_for(1, 30)
    station.gateway.wait(lambda them: any(e["type"] == "ticket.printed" for e in them.events.values()))
    assert station.end() == 0


def test_the_commands_while_the_kiosk_runs(station):
    station.start()
    station.until(lambda now: now["online"] and now["printer"]["ready"])
    assert station.command("press")[:2] == (0, "B001\n")
    station.until(lambda now: now["unsent"] == 0)
    code, out, err = station.command("press", "--service", "passport")
    assert (code, out) == (1, "")
    assert "Máy này không có thủ tục đó. / This kiosk does not have that service." in err
    assert station.command("test-print")[0] == 0
    assert station.printer.wait_for(2, 30)
    code, out, _ = station.command("status")
    assert code == 0
    assert "Máy in: sẵn sàng (giấy: ok) / Printer: ready (paper: ok)" in out
    assert "Ghi danh: máy K1, dải số B / Enrolment: kiosk K1, series B" in out
    second = station.command("run")
    assert (second[0], "already running" in second[2]) == (1, True)
    assert station.end(signal.SIGINT) == 0


def test_the_commands_while_no_kiosk_runs(station):
    code, out, _ = station.command("press", "--service", "renew", "--priority")
    assert (code, out) == (0, "B001\n")
    assert station.printer.wait_for(1, 30)
    assert [event["priority"] for event in station.gateway.issued()] == [True]
    code, out, _ = station.command("status")
    assert code == 1
    assert "The kiosk is not running." in out


def test_wrong_words_are_2_and_faults_are_one_line_and_1(tmp_path, free_port, station_in):
    made = station_in(tmp_path, "http://127.0.0.1:9", "tcp://127.0.0.1:9", free_port())
    assert made.command("dance")[0] == 2
    code, _, err = made.command("run")
    assert (code, err.count("\n")) == (1, 1)
    assert "Máy chưa được ghi danh" in err and "not enrolled" in err
    code, _, err = made.command("run", "--config", "nowhere.toml")
    assert (code, err) == (1, "nowhere.toml: No such file or directory\n")
    (tmp_path / "config.toml").write_text("[kiosk]\nserie = 'B'\nport = 0\n")
    code, _, err = made.command("status")
    assert (code, err.count("\n")) == (1, 2)
    assert 'did you mean "kiosk.series"' in err
