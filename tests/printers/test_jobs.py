"""What the spool promises, against a printer behind a real socket."""
import gc
import sqlite3
import threading

import pytest

from printers import device, jobs, ports


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def states(spool: jobs.Spool) -> list[tuple[str, int, str]]:
    return [(job.key, job.copy, job.state) for job in spool.jobs()]


def step_until(spool: jobs.Spool, condition, now: int = 100, clock: Clock | None = None) -> None:
    """Step as the loop does, without its thread, until the condition holds; a given clock goes on a little."""
    tries = threading.Event()
    for _ in range(2000):
        if condition():
            return
        spool.step(now)
        if clock:
            clock.seconds += 0.02
        tries.wait(0.005)
    raise AssertionError((states(spool), spool.printer))


@pytest.fixture
def spool(tmp_path, printer, capabilities):
    made = jobs.Spool(tmp_path / "print.db", printer.url, capabilities)
    yield made
    made.close()


def test_a_ticket_is_printed_and_confirmed_by_the_printer_itself(printer, spool, owners, ticket, same_picture):
    owner = owners(spool)
    job = spool.submit("an", ticket, now=7)
    assert (job.key, job.copy, job.created_at) == ("an", 1, 7)
    owner.wait_for("an", 1, jobs.CONFIRMED)
    assert [told[2] for told in owner.told] == ["READY_CHECK", "SENDING", "SENT", "CONFIRMED"]
    assert (printer.cuts, printer.unknown) == (1, 0)


@pytest.mark.parametrize("profile, proof", [("TM-T20II", "gsH"), ("TM-T88III", "gsr"), ("generic", "status"),
                                            ("write-only", "sent")])
def test_the_proof_is_the_best_that_the_printer_can_give(printer, owners, ticket, tmp_path, profile, proof):
    spool = jobs.Spool(tmp_path / "print.db", printer.url, device.capabilities(profile))
    owner = owners(spool)
    spool.submit("an", ticket, now=1)
    owner.wait_for("an", 1, jobs.CONFIRMED)
    assert [job.confirmed_by for job in spool.jobs()] == [proof]
    assert printer.wait_for(1, 20)


def test_the_same_ticket_submitted_again_is_one_paper(printer, spool, owners, ticket):
    first = spool.submit("an", ticket, now=1)
    assert spool.submit("an", ticket, now=2) == first
    owner = owners(spool)
    spool.submit("bình", ticket, now=3)
    owner.wait_for("bình", 1, jobs.CONFIRMED)
    assert printer.cuts == 2


@pytest.mark.parametrize("fault, reason", [("paper_out", "paper"), ("cover_open", "cover"),
                                           ("cutter_error", "cutter"), ("offline", "offline")])
@pytest.mark.parametrize("profile", ["TM-T20II", "generic"])
def test_a_ticket_waits_while_the_printer_cannot_and_comes_by_itself(printer, owners, ticket, tmp_path, profile,
                                                                     fault, reason):
    printer.fault(fault, True)
    spool = jobs.Spool(tmp_path / "print.db", printer.url, device.capabilities(profile))
    owner = owners(spool)
    spool.submit("an", ticket, now=1)
    owner.wait_for("an", 1, jobs.HELD)
    assert [job.reason for job in spool.jobs()] == [reason]
    owner.wait_for_printer(lambda state: state.hold == reason and state.reason_vi and state.reason_en)
    assert printer.cuts == 0
    printer.fault(fault, False)
    owner.wait_for("an", 1, jobs.CONFIRMED)
    owner.wait_for_printer(lambda state: state.online and state.paper == "ok" and not state.hold)
    assert (printer.cuts, printer.unknown) == (1, 0)
    assert states(spool) == [("an", 1, "CONFIRMED")]


def test_paper_near_its_end_still_prints_and_says_so(printer, spool, owners, ticket):
    printer.fault("near_end", True)
    owner = owners(spool)
    spool.submit("an", ticket, now=1)
    owner.wait_for("an", 1, jobs.CONFIRMED)
    assert (spool.printer.paper, spool.printer.reason_vi) == ("near_end", "Giấy in sắp hết")


def test_a_ticket_waits_for_a_printer_that_is_not_there_yet(printer, spool, owners, ticket):
    printer.stop()
    owner = owners(spool)
    spool.submit("an", ticket, now=1)
    owner.wait_for("an", 1, jobs.HELD)
    assert [job.reason for job in spool.jobs()] == ["no_device"]
    printer.start()
    owner.wait_for("an", 1, jobs.CONFIRMED)
    assert printer.cuts == 1


def test_paper_out_in_the_middle_of_a_ticket_prints_it_once_after_the_paper_is_back(printer, tmp_path, ticket,
                                                                                   capabilities):
    clock = Clock()  # stands still: the state asked at the start stays fresh, nothing runs out
    spool = jobs.Spool(tmp_path / "print.db", printer.url, capabilities, clock)
    step_until(spool, lambda: spool.printer.online)
    printer.fault("offline", True)
    spool.submit("an", ticket, now=1)
    step_until(spool, lambda: states(spool) == [("an", 1, "SENT")])
    printer.fault("paper_out", True)
    printer.fault("offline", False)
    step_until(spool, lambda: spool.printer.hold == "paper")
    clock.seconds += 60
    step_until(spool, lambda: spool.printer.hold == "paper")
    assert (states(spool), printer.cuts) == ([("an", 1, "SENT")], 0)
    printer.fault("paper_out", False)
    step_until(spool, lambda: states(spool) == [("an", 1, "CONFIRMED")])
    assert printer.cuts == 1
    spool.close()


def test_a_printer_that_forgot_the_ticket_while_the_paper_was_out_gets_it_again_marked(printer, tmp_path, ticket,
                                                                                       capabilities):
    clock = Clock()
    spool = jobs.Spool(tmp_path / "print.db", printer.url, capabilities, clock)
    step_until(spool, lambda: spool.printer.online)
    printer.fault("offline", True)
    spool.submit("an", ticket, now=1)
    step_until(spool, lambda: states(spool) == [("an", 1, "SENT")])
    printer.fault("paper_out", True)
    printer.fault("offline", False)
    step_until(spool, lambda: spool.printer.hold == "paper")
    other = ports.open_port(printer.url)
    other.write(b"\x10\x05\x02\x10\x04\x01", 5)  # DLE ENQ 2, as its own button would: forget everything
    assert other.read(5) == b"\x1a"
    other.close()
    printer.fault("paper_out", False)
    step_until(spool, lambda: not spool.printer.hold)
    clock.seconds += 119
    spool.step(2)
    assert states(spool) == [("an", 1, "SENT")]
    clock.seconds += 2
    step_until(spool, lambda: states(spool) == [("an", 1, "UNCERTAIN"), ("an", 2, "CONFIRMED")], clock=clock)
    assert printer.cuts == 1
    spool.close()


def test_a_printer_switched_off_with_a_ticket_inside_gets_it_again_marked(printer, tmp_path, ticket, marked,
                                                                          capabilities, same_picture):
    clock = Clock()
    capabilities = device.Capabilities(**{**vars(capabilities), "native_qr": False})
    spool = jobs.Spool(tmp_path / "print.db", printer.url, capabilities, clock)
    step_until(spool, lambda: spool.printer.online)
    printer.fault("offline", True)
    spool.submit("an", ticket, now=1)
    step_until(spool, lambda: states(spool) == [("an", 1, "SENT")])
    printer.stop()
    step_until(spool, lambda: states(spool)[0] == ("an", 1, "UNCERTAIN"))
    assert states(spool)[1][:2] == ("an", 2)
    printer.fault("offline", False)
    printer.start()
    clock.seconds += 10
    step_until(spool, lambda: states(spool) == [("an", 1, "UNCERTAIN"), ("an", 2, "CONFIRMED")])
    assert printer.cuts == 1
    assert same_picture(printer, 1, marked)
    spool.close()


def send_and_forget(spool, printer, ticket):
    step_until(spool, lambda: spool.printer.online)
    printer.fault("offline", True)
    spool.submit("an", ticket, now=1)
    step_until(spool, lambda: states(spool) == [("an", 1, "SENT")])


def test_a_spool_dropped_after_sending_leads_to_one_marked_paper(printer, tmp_path, ticket, capabilities):
    send_and_forget(jobs.Spool(tmp_path / "print.db", printer.url, capabilities, Clock()), printer, ticket)
    gc.collect()  # nobody holds the spool any more: as after a crash, nothing was closed in order
    printer.fault("offline", False)
    again = jobs.Spool(tmp_path / "print.db", printer.url, capabilities)
    step_until(again, lambda: states(again) == [("an", 1, "UNCERTAIN"), ("an", 2, "CONFIRMED")])
    assert [(job.reason, job.ticket.reprint) for job in again.jobs()] == [("crash", False), ("", True)]
    assert printer.cuts == 2
    again.close()


def test_staff_can_ask_for_a_second_paper_with_the_same_number(printer, spool, owners, ticket, marked):
    owner = owners(spool)
    spool.submit("an", ticket, now=1)
    owner.wait_for("an", 1, jobs.CONFIRMED)
    assert (spool.reprint("an", 2).copy, spool.jobs()[-1].ticket) == (2, marked)
    owner.wait_for("an", 2, jobs.CONFIRMED)
    with pytest.raises(jobs.UnknownJob):
        spool.reprint("chi", 3)


def test_a_paper_still_waiting_is_not_asked_for_twice(spool, ticket):
    first = spool.submit("an", ticket, now=1)
    assert spool.reprint("an", 2) == first


def test_what_was_not_sent_can_be_taken_back(printer, spool, owners, ticket):
    printer.fault("paper_out", True)
    owner = owners(spool)
    spool.submit("an", ticket, now=1)
    owner.wait_for("an", 1, jobs.HELD)
    assert [job.state for job in spool.cancel("an", 2)] == ["CANCELLED"]
    printer.fault("paper_out", False)
    spool.submit("bình", ticket, now=3)
    owner.wait_for("bình", 1, jobs.CONFIRMED)
    assert printer.cuts == 1


def test_a_device_has_one_writer(printer, tmp_path, ticket, capabilities):
    first = jobs.Spool(tmp_path / "print.db", printer.url, capabilities)
    second = jobs.Spool(tmp_path / "print.db", printer.url, capabilities)
    step_until(first, lambda: first.printer.online)
    second.submit("an", ticket, now=1)
    assert second.step(1)
    assert second.printer.hold == "busy"
    step_until(first, lambda: states(first) == [("an", 1, "CONFIRMED")])
    first.close()
    step_until(second, lambda: second.printer.online)
    second.close()


def test_a_stumbling_caller_does_not_stop_the_printing(printer, spool, ticket):
    stop, seen, done = threading.Event(), [], threading.Event()

    def stumble(job):
        seen.append(job.state)
        if job.key == "bình" and job.state == jobs.CONFIRMED:
            done.set()
        if job.state == jobs.SENT:
            raise RuntimeError("the caller's own fault")

    spool.submit("an", ticket, now=1)
    spool.submit("bình", ticket, now=1)
    loop = threading.Thread(target=spool.run, args=(stop, stumble, lambda state: None))
    loop.start()
    assert done.wait(30)
    stop.set()
    loop.join(20)
    assert printer.cuts == 2


def test_a_number_is_reprinted_by_itself_twice_at_most(tmp_path, ticket):
    from printers.jobs import ledger
    book = ledger.Ledger(tmp_path / "print.db")
    job = book.add("an", ticket, 1, 1)
    for _ in range(3):
        for state in (ledger.READY_CHECK, ledger.SENDING, ledger.SENT):
            job = book.move(job, state, 2)
        job = book.give_up(job, "no_device", 3, most_copies=3)[-1]
    assert [(row.copy, row.state) for row in book.all()] == [(1, "UNCERTAIN"), (2, "UNCERTAIN"), (3, "FAILED")]


def test_a_job_goes_only_where_the_table_lets_it(tmp_path, ticket):
    from printers.jobs import ledger
    book = ledger.Ledger(tmp_path / "print.db")
    job = book.add("an", ticket, 1, 1)
    with pytest.raises(ValueError):
        book.move(job, ledger.CONFIRMED, 2)
    assert book.move(job, ledger.CANCELLED, 2).state == ledger.CANCELLED
    assert book.move(job, ledger.READY_CHECK, 3) is None
    assert set(ledger.NEXT) == {*ledger.OPEN, *ledger.FINAL}


def test_every_row_is_synced_to_the_disk(tmp_path, ticket):
    from printers.jobs import ledger
    book = ledger.Ledger(tmp_path / "print.db")
    book.add("an", ticket, 1, 1)
    assert book._database.execute("PRAGMA synchronous").fetchone() == (2,)
    with sqlite3.connect(tmp_path / "print.db") as other:
        assert other.execute("SELECT key, state FROM jobs").fetchall() == [("an", "NEW")]


def test_finished_jobs_are_forgotten_and_open_ones_kept(spool, ticket):
    spool.submit("an", ticket, now=1)
    spool.cancel("an", 2)
    spool.submit("bình", ticket, now=1)
    assert (spool.forget(2), spool.forget(3)) == (0, 1)
    assert [job.key for job in spool.jobs()] == ["bình"]
