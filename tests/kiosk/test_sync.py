"""Events reach the gateway, each once, whatever happens to the link."""

import threading

import pytest

from kiosk import journal, link, sync
from tests.kiosk.conftest import NOON


@pytest.fixture
def talk(tmp_path, machine, kiosk_in):
    """talk(gateway) → (kiosk, sync): a kiosk whose gateway may be up or not yet."""

    def make(gateway, **changes):
        kiosk = kiosk_in(tmp_path / "journal", machine)
        url, key = (gateway, "key-of-k1") if isinstance(gateway, str) else (gateway.url, gateway.key)
        to = link.Gateway(url, changes.pop("key", key), timeout=(1, 2))
        return kiosk, sync.Sync(to, kiosk.book, kiosk.clock, tmp_path, **changes)

    return make


def test_thirty_presses_offline_arrive_once_each_when_the_gateway_comes(talk, gateways, free_port):
    port = free_port()
    kiosk, uplink = talk(f"http://127.0.0.1:{port}", draw=lambda: 0.9)
    stop = threading.Event()
    runner = threading.Thread(target=uplink.run, args=(stop,))
    runner.start()
    for n in range(30):
        kiosk.press(press_id=f"press-id-{n}")
        uplink.wake()
    assert kiosk.book.unsent == 30
    gateway = gateways(port)
    gateway.wait(lambda them: len(them.issued()) == 30)
    stop.set()
    uplink.wake()
    runner.join()
    assert [event["number"] for event in gateway.issued()] == [f"B{n:03d}" for n in range(1, 31)]
    assert (kiosk.book.unsent, uplink.contact.online) == (0, True)
    assert sum(len(post["events"]) for post in gateway.posts) == 30


def test_a_lost_answer_means_sending_again_and_nothing_twice(talk, gateways):
    gateway = gateways()
    kiosk, uplink = talk(gateway)
    for n in range(3):
        kiosk.press(press_id=f"press-id-{n}")
    gateway.lose_answers = 1
    assert not uplink.attempt()
    assert kiosk.book.unsent == 3
    assert uplink.attempt()
    first, again = gateway.posts
    assert [event["id"] for event in first["events"]] == [event["id"] for event in again["events"]]
    assert [event["number"] for event in gateway.issued()] == ["B001", "B002", "B003"]
    assert kiosk.book.unsent == 0


def test_refused_events_are_kept_and_do_not_hold_up_the_rest(talk, gateways, tmp_path):
    gateway = gateways()
    gateway.refuse = {2: "no such service"}
    kiosk, uplink = talk(gateway)
    for n in range(3):
        kiosk.press(press_id=f"press-id-{n}")
    assert uplink.attempt()
    assert kiosk.book.unsent == 0
    [kept] = sync.load_refused(tmp_path)
    assert (kept["seq"], kept["why"], kept["event"]["number"]) == (2, "no such service", "B002")
    assert uplink.refused == (kept,)


def test_a_long_time_offline_goes_up_in_bounded_batches(talk, gateways):
    gateway = gateways()
    kiosk, uplink = talk(gateway)
    for n in range(sync.BATCH + 7):
        kiosk.book.append({"id": str(n), "type": "printer.state"})
    assert uplink.attempt()
    assert [len(post["events"]) for post in gateway.posts] == [sync.BATCH, 7]


def test_events_a_restored_gateway_has_lost_go_up_again(talk, gateways):
    gateway = gateways(at=NOON)
    kiosk, uplink = talk(gateway)
    for n in range(4):
        kiosk.press(press_id=f"press-id-{n}")
    assert uplink.attempt()
    for seq in (3, 4):
        del gateway.events[seq]
    kiosk.press(press_id="press-id-9")
    assert uplink.attempt()
    assert [event["number"] for event in gateway.issued()] == ["B001", "B002", "B003", "B004", "B005"]


def test_a_kiosk_with_a_new_disk_goes_on_where_the_old_one_stopped(talk, gateways):
    gateway = gateways(at=NOON)
    kiosk, uplink = talk(gateway, heard=lambda told: kiosk.desk.meet(*told.issued))
    gateway.events = {seq: {"seq": seq, "type": "printer.state"} for seq in range(1, 41)}
    gateway.state["kiosk"] |= {"acked": 40, "issued": {"day": "2026-11-24", "n": 17}}
    assert uplink.attempt()
    uplink.known = kiosk.known
    event = kiosk.press(press_id="press-id-1").event
    assert (event["seq"], event["number"]) == (41, "B018")
    assert uplink.attempt()
    assert gateway.events[41]["number"] == "B018"


def test_the_clock_is_set_by_the_gateway_before_events_are_sent(talk, gateways, machine):
    gateway = gateways()
    machine.set(1_000_000.0, synced=False)
    kiosk, uplink = talk(gateway)
    kiosk.book.append({"id": "1", "type": "printer.state"})
    assert uplink.attempt()
    [stamp] = gateway.clocks
    assert stamp["at"][:10] == gateway.state["server_time"][:10]
    assert (stamp["boot"], stamp["monotonic"]) == ("boot-1", 1000.0)
    assert kiosk.clock.now().trusted


def test_the_state_is_kept_for_a_start_without_the_gateway(talk, gateways, tmp_path):
    gateway = gateways()
    kiosk, uplink = talk(gateway)
    assert uplink.attempt()
    again = sync.Sync(link.Gateway("http://127.0.0.1:1", "k"), kiosk.book, kiosk.clock, tmp_path)
    assert [service.code for service in again.known.state.services] == ["new", "renew", "replace", "residence"]
    assert again.known.heard is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"services": None}, "services"),
        ({"server_time": "yesterday"}, "server_time"),
        ({"shift": {"open": True}}, "shift"),
    ],
)
def test_a_strange_state_is_no_contact_and_changes_nothing(talk, gateways, changes, fault):
    gateway = gateways()
    kiosk, uplink = talk(gateway)
    assert uplink.attempt()
    before = uplink.known
    gateway.state.update(changes)
    gateway._get = lambda call: gateway._answer(call, 200, gateway.state)
    kiosk.press(press_id="press-id-1")
    assert not uplink.attempt()
    assert fault in uplink.contact.fault
    assert uplink.known == before


def test_a_wrong_key_is_told_and_loses_nothing(talk, gateways):
    gateway = gateways()
    kiosk, uplink = talk(gateway, key="another")
    kiosk.press(press_id="press-id-1")
    assert not uplink.attempt()
    assert (uplink.contact.fault, kiosk.book.unsent) == ("401 Unauthorized", 1)


def test_the_pause_grows_to_thirty_seconds_and_never_past():
    assert [sync.pause(n, 0.0) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert sync.pause(3, 1.0) == 2
    assert sync.pause(10_000, 0.0) == 30


def test_a_gateway_that_stores_nothing_is_not_asked_in_a_hurry(talk, gateways):
    gateway = gateways()
    kiosk, uplink = talk(gateway)
    kiosk.press(press_id="press-id-1")
    gateway.events = _Forgetful()
    assert not uplink.attempt()
    assert uplink.contact.fault == "the gateway stored none of the events"
    assert len(gateway.posts) == 1
    assert kiosk.book.unsent == 1


class _Forgetful(dict):
    def setdefault(self, key, value=None):
        return value


def test_a_press_does_not_wait_for_a_gateway_that_never_answers(talk, free_port, tmp_path):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kiosk, uplink = talk(f"http://127.0.0.1:{silent.getsockname()[1]}")
        stop = threading.Event()
        runner = threading.Thread(target=uplink.run, args=(stop,))
        runner.start()
        held, _ = silent.accept()
        assert kiosk.press(press_id="press-id-1").event["number"] == "B001"
        assert len(journal.read(tmp_path / "journal")[0]) == 1
        stop.set()
        held.close()
        uplink.wake()
        runner.join()
