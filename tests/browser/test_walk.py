"""The main job, walked by people: register → number → message on the phone → kiosk → Next → board.

Everything is a real process: `python -m gateway station`, its sandbox, its kiosk, and Chromium.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
import requests
import segno
from PIL import Image, ImageChops
from sqlalchemy import select

from gateway import database, tables
from printers import device, jobs, layout, raster
from tests import running

pytestmark = [pytest.mark.browser, pytest.mark.processes]
PHONE, DESK, HALL = ({"width": w, "height": h} for w, h in ((390, 844), (1280, 900), (1920, 1080)))
AN, BINH = "Nguyễn Thị Ánh An", "Trần Đỗ Quốc Bình"
NUMBER = "0905 123 456"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("station")
    made = running.environment(folder)
    made.start("station", "station", alive=f"{made.kiosk_url}/status")
    yield made
    made.stop("station")
    made.close()


@pytest.fixture
def page_of(chromium, station):
    """page_of(size): a browser of its own that fails the test when a page's script fails."""
    opened, faults = [], []

    def make(size):
        context = chromium.new_context(base_url=station.url, viewport=size)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        return page

    yield make
    for context in opened:
        context.close()
    assert faults == []


@pytest.fixture
def picture(request):
    """picture(page, name): keeps what the page shows, when the run asks for pictures."""
    folder = request.config.getoption("--pictures")

    def keep(page, name):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep


def register(page, day, picture=None):
    """Fill the form for two people on the day in this place of the list (0 is today)."""
    page.goto("/dang-ky")
    page.fill("#contact_name", AN)
    page.fill("#phone", NUMBER)
    row = page.locator(".person[data-row='0']")
    row.locator("select").nth(1).select_option("new")
    page.click("#add")
    second = page.locator(".person[data-row='1']")
    second.locator("select").nth(0).select_option(index=1)
    second.locator("input[type=text], input:not([type])").first.fill(BINH)
    second.locator("select").nth(1).select_option("renew")
    page.locator("details[open] .day").nth(day).click()
    if picture:
        page.evaluate("scrollTo(0, 0)")
        picture(page, "form")
    page.check("#consent")
    page.click("#send")
    page.wait_for_url("**/r/*")


def sign_in(page, station, role):
    logins = json.loads((station.folder / "sandbox" / "logins.json").read_text())
    _, name, password = next(one for one in logins if one[0] == role)
    page.goto("/staff/login")
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("form button.go")
    page.wait_for_url("**/staff")


def press(station, press_id):
    answer = requests.post(
        f"{station.kiosk_url}/press",
        json={"service": "new", "press_id": press_id},
        headers={"X-Requested-With": "kiosk"},
        timeout=10,
    )
    return answer.json()["number"]


def printed(station):
    return requests.get(f"{station.sandbox_url}/tickets", timeout=5).json()["tickets"]


def test_the_walk(station, page_of, picture, request):
    # 1. A mother registers herself and a relative, on her phone, for tomorrow and for today
    mother = page_of(PHONE)
    register(mother, day=1, picture=picture)
    assert mother.get_by_text(AN).first.is_visible()

    # 2. The officer gives tomorrow's numbers
    officer = page_of(DESK)
    sign_in(officer, station, "officer")
    officer.goto("/admin")
    officer.click("#give")
    officer.wait_for_load_state("networkidle")

    # 3. The phone in the sandbox shows each number, place and hour, with every accent
    show = page_of(HALL)
    show.goto("/sandbox")
    handset = show.locator("[data-phone='+84905123456']")
    handset.locator(".bubble").nth(1).wait_for()
    told = handset.inner_text()
    for part in ("001", "002", "07:30", "Điểm cấp căn cước An Mỹ", "N. T. Á. AN", "T. Đ. Q. BÌNH"):
        assert part in told, (part, told)

    register(mother, day=0)  # who registers for the day that has begun has the number at once
    show.locator("[data-phone='+84905123456'] .bubble").nth(3).wait_for()

    # 4. Two walk-ins press the kiosk; the paper shows the number in large digits and correct Vietnamese
    kiosk = page_of(DESK)
    kiosk.goto(station.kiosk_url)
    kiosk.locator(".service").first.wait_for()
    picture(kiosk, "kiosk")
    kiosk.locator(".service").first.click()
    kiosk.locator("#number", has_text="B001").wait_for()
    running.until(lambda: len(printed(station)) == 1, what="the paper")
    assert press(station, "second-press") == "B002"
    running.until(lambda: len(printed(station)) == 2, what="the second paper")
    paper_shows_the_number_and_every_accent(station, request.config.getoption("--pictures"))
    show.locator("[data-ticket]").nth(1).wait_for()

    # 5. Staff press Next twice; the board shows both within a second, and so does the person's own page
    staff = page_of(DESK)
    sign_in(staff, station, "staff")
    staff.goto("/staff/counter/1")
    staff.locator("#queue li").nth(1).wait_for()
    board = page_of(HALL)
    board.goto("/board/TK1")
    board.locator("#next li").nth(1).wait_for()
    own = page_of(PHONE)
    own.goto(own_page_of(station, "B002"))
    for number in ("B001", "B002"):
        calling(staff, board, number)
    own.locator("#place[data-state='called']").wait_for()
    for page, name in ((staff, "console"), (board, "board"), (own, "person"), (show, "sandbox")):
        picture(page, name)


def calling(staff, board, number):
    staff.locator("[data-verb='next']:enabled").wait_for()
    began = time.monotonic()
    staff.keyboard.press("n")
    board.locator(f"#last[data-number='{number}']").wait_for()
    print(f"\n{number}: on the board {1_000 * (time.monotonic() - began):.0f} ms after the key")
    staff.locator(f"#current[data-number='{number}']").wait_for()


def own_page_of(station, number):
    engine = database.connect(station.config.database.url)

    def found():
        with database.reading(engine) as session:
            return session.scalar(select(tables.Ticket.token).filter_by(number=number))

    return f"/p/{running.until(found, what='the merging of the ticket')}"


def paper_shows_the_number_and_every_accent(station, kept):
    """The stand-in drew its PNG from the printer's bytes alone; its ink must be the layout's own drawing.

    (`tests/printers` hold that drawing to all 134 Vietnamese letters.)
    """
    width = station.config.printer.width_dots
    spool = jobs.Spool(
        station.folder / "kiosk" / "printer.db",
        station.config.printer.url,
        device.capabilities(station.config.printer.profile, width),
    )
    (job,) = (one for one in spool.jobs() if one.ticket.number == "B001")
    assert (job.ticket.service, job.ticket.station) == ("Cấp căn cước lần đầu", "Công an thành phố")
    paper = black(Image.open(station.folder / "sandbox" / "tickets" / "000001.png"))
    drawn = raster.picture(layout.arrange(job.ticket, width), width).convert("L")
    drawn = drawn.crop(drawn.getbbox())
    assert paper.size == drawn.size
    # A printer draws and centres the QR code itself, which may put it a dot beside the drawing's
    code = ImageChops.difference(paper, drawn).getbbox()
    assert code is None or shows_code(paper, code, job.ticket.url)
    assert json.loads((station.folder / "sandbox" / "tickets" / "000001.json").read_text())["unknown"] == []
    if kept:
        shutil.copy(station.folder / "sandbox" / "tickets" / "000001.png", Path(kept) / "ticket.png")


def black(picture):
    """The black dots of a picture (255 is black), without the white around them."""
    ink = picture.convert("L").point(lambda shade: 255 if shade < 128 else 0)
    return ink.crop(ink.getbbox())


def shows_code(paper, box, text):
    """Whether the paper shows the QR code of `text`, and nothing else, in or one dot beside the box."""
    matrix = segno.make_qr(text, error="m", boost_error=False).matrix
    side = 6 * len(matrix)
    rows = b"".join(bytes(255 * bool(bit) for bit in row) for row in matrix)
    code = Image.frombytes("L", (len(matrix), len(matrix)), rows).resize(
        (side, side), Image.Resampling.NEAREST
    )
    return abs(box[2] - box[0] - side) <= 1 and any(
        paper.crop((left, box[1], left + side, box[1] + side)).tobytes() == code.tobytes()
        for left in (box[0], box[0] + 1)
    )
