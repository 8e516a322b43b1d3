"""The sandbox as one server: Zalo, eSMS, the phones and the printed tickets over HTTP.

Beside it run the modem's pty and the printer's socket. For the page that shows it all there is JSON.
"""

import json
import logging
import re
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import flask
from cheroot import wsgi

from gateway.rules import phone
from gateway.sandbox import esms, faults, modem, network, postman, provider, smsc, speedsms, zalo
from gateway.sandbox.options import Options

log = logging.getLogger(__name__)

LARGEST_REQUEST = 65_536
LONGEST_TEXT = 600
TICKETS_SHOWN = 60
PHONES_SHOWN = 50
TEMPLATE_DIGITS = 12  # a user id has more
PRINTER_FAULTS = ("paper_out", "cover_open", "offline", "near_end", "cutter_error")

_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


def create_app(
    phones: network.Network,
    options: Options,
    *,
    post: postman.Postman | None = None,
    modems: Mapping[str, modem.ModemStandIn] | None = None,
    printer: Any = None,
) -> flask.Flask:
    """The HTTP side. Without `modems` and `printer` their parts answer 404."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.json.ensure_ascii = False
    post = post or postman.Postman()
    account, sms = zalo.OfficialAccount(phones, options, post), esms.Account(phones, options, post)
    speed, other = speedsms.Account(phones, options, post), provider.Account(phones, options, post)
    app.extensions["sandbox_accounts"] = (account, sms, speed, other)
    app.register_blueprint(zalo.blueprint(account))
    for stand_in, its in ((esms, sms), (speedsms, speed), (provider, other)):
        app.register_blueprint(stand_in.blueprint(its, phones))
    app.register_blueprint(_page(account, options, modems or {}, printer))
    app.after_request(_open_to_the_page)
    return app


class Sandbox:
    """Everything the station talks to, running."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.network = network.Network(options.folder)
        self._post = postman.Postman()
        self.modems = self._modems()
        self.modem = next(iter(self.modems.values()), None)
        self.smsc = self._smsc()
        self.printer = self._printer()
        app = create_app(
            self.network, options, post=self._post, modems=self._answering(), printer=self.printer
        )
        self._accounts = app.extensions["sandbox_accounts"]
        place = (options.host, options.port)
        self._http = wsgi.Server(place, app, numthreads=16, server_name="sandbox", shutdown_timeout=1)
        self._http.expiration_interval = 0.1  # seconds until a stop is noticed
        self._thread = threading.Thread(target=self._http.serve, name="sandbox-http", daemon=True)

    @property
    def url(self) -> str:
        host, port = self._http.bind_addr
        return f"http://{host}:{port}"

    def start(self) -> None:
        """OSError when a port is taken; then nothing is left running."""
        with ExitStack() as started:
            for part in (*self._accounts, self.network):
                started.callback(part.close)
            started.callback(self._post.stop)
            self._http.prepare()
            self._thread.start()
            started.callback(self._stop_http)
            for stand_in in filter(None, (*self.modems.values(), self.smsc, self.printer)):
                stand_in.start()
                started.callback(stand_in.stop)
            self._running = started.pop_all()

    def stop(self) -> None:
        self._running.close()

    def _stop_http(self) -> None:
        self._http.stop()
        self._thread.join()

    def _modems(self) -> dict[str, modem.ModemStandIn]:
        options, first = self.options, self.options.modem_link
        links = {**({"modem": first} if first is not None else {}), **options.modem_links}
        return {
            name: modem.ModemStandIn(
                link, self.network, delay=options.receipt_delay, name=name, pin=options.modem_pins.get(name),
                operator=options.modem_operators.get(name, "Viettel"), number=f"+84{900_000_099 - place}",
            )
            for place, (name, link) in enumerate(links.items())
        }  # fmt: skip

    def _answering(self) -> dict[str, Any]:
        """Who can be written to: the SIMs, and the number behind the SMSC."""
        return {**self.modems, **({"smpp": self.smsc} if self.smsc else {})}

    def _smsc(self) -> smsc.Smsc | None:
        own = self.options
        if own.smpp_port is None:
            return None
        return smsc.Smsc(
            self.network, self._post, host=own.host, port=own.smpp_port, system_id=own.smpp_system_id,
            password=own.smpp_password, source=own.smpp_source, coding=own.smpp_coding,
            receipt_delay=own.receipt_delay,
        )  # fmt: skip

    def _printer(self) -> Any:
        if self.options.printer_port is None:
            return None
        from gateway.sandbox import printer  # only here: a sandbox without a printer needs no fonts

        folder = tickets_folder(self.options)
        folder.mkdir(parents=True, exist_ok=True)
        return printer.PrinterStandIn(folder, self.options.host, self.options.printer_port)


def run(options: Options, stop: threading.Event) -> None:
    """A sandbox until `stop` is set."""
    sandbox = Sandbox(options)
    sandbox.start()
    log.info("sandbox: %s", sandbox.url)
    try:
        stop.wait()
    finally:
        sandbox.stop()


def tickets_folder(options: Options) -> Path:
    return Path(options.folder) / "tickets"


def _page(account: zalo.OfficialAccount, options: Options, modems, printer) -> flask.Blueprint:
    routes = flask.Blueprint("page", __name__)
    _add_phones(routes, account, modems)
    _add_tickets(routes, tickets_folder(options))
    _add_faults(routes, account.phones.faults, printer)
    return routes


def _add_phones(
    routes: flask.Blueprint, account: zalo.OfficialAccount, modems: Mapping[str, modem.ModemStandIn]
) -> None:
    @routes.get("/phones")
    def all_phones():
        """Phones with messages, the newest first, then those of people to whom nobody has written yet."""
        people = {one.phone: zalo.described(one, account) for one in account.people.listed()}
        listed = [{**one, "zalo": people.pop(one["phone"], None)} for one in account.phones.listed()]
        silent = list(people.items())[-PHONES_SHOWN:]
        listed += [_silent(number, person) for number, person in reversed(silent)]
        return {"phones": listed}

    @routes.post("/phones/<number>/sms")
    def text(number: str):
        """{"text"}, and "modem" where the SIM of another than the first one is meant."""
        sender, body = phone.parse(number), flask.request.get_json(silent=True)
        words = body.get("text") if isinstance(body, dict) else None
        first = next(iter(modems), "modem")
        sim = modems.get(str(body.get("modem", first)) if isinstance(body, dict) else first)
        if sim is None:
            return {"error": "no such modem in this sandbox"}, 404
        if isinstance(sender, phone.PhoneFault) or not isinstance(words, str):
            return {"error": "a phone and a text are needed"}, 400
        if not 0 < len(words) <= LONGEST_TEXT:
            return {"error": f"a text has 1 to {LONGEST_TEXT} characters"}, 400
        try:
            sim.incoming(sender.e164, words)
        except ValueError as fault:
            return {"error": str(fault)}, 409
        return {"sent": True}, 202


def _silent(number: str, person: dict[str, Any]) -> dict[str, Any]:
    return {"phone": number, "masked": phone.masked(number), "messages": [], "zalo": person}


def _add_tickets(routes: flask.Blueprint, folder: Path) -> None:
    @routes.get("/tickets")
    def all_tickets():
        newest = sorted(folder.glob("*.png"), reverse=True)[:TICKETS_SHOWN]
        return {"tickets": [_ticket(path) for path in newest]}

    @routes.get("/tickets/<id>.png")
    def picture(id: str):
        if not re.fullmatch(r"\d{1,9}", id):
            flask.abort(404)
        return flask.send_from_directory(folder.absolute(), f"{id}.png", max_age=3600)


def _add_faults(routes: flask.Blueprint, switches: faults.Faults, printer: Any) -> None:
    printed: set[str] = set()

    @routes.get("/faults")
    def all_faults():
        on = [
            {"phone": None, **_named(target), "fault": name, "on": True} for name, target in switches.listed()
        ]
        on += [{"phone": None, "fault": f"printer_{name}", "on": True} for name in sorted(printed)]
        known = list(faults.NAMES)
        known += [f"printer_{name}" for name in PRINTER_FAULTS] if printer is not None else []
        return {"faults": on, "known": known}

    @routes.post("/faults")
    def switch():
        body = flask.request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("on"), bool):
            return {"error": 'a fault looks like {"phone": null, "fault": "zalo_refused", "on": true}'}, 400
        name = str(body.get("fault"))
        target = _target(body)
        if isinstance(target, phone.PhoneFault):
            return {"error": target.english}, 400
        if not _switched(switches, printer, printed, name, target, body["on"]):
            return {"error": f"no such fault: {name[:40]}"}, 400
        return all_faults()


def _target(body: dict[str, Any]) -> str | phone.PhoneFault | None:
    """Whom a fault is for: everybody, a phone, a Zalo user id, a template's id or a modem's name."""
    for named in ("user", "template", "modem"):
        if body.get(named) is not None:
            return str(body[named])[:40]
    if body.get("phone") is None:
        return None
    number = phone.parse(str(body["phone"]))
    return number if isinstance(number, phone.PhoneFault) else number.e164


def _named(target: str | None) -> dict[str, str | None]:
    if target is None or target.startswith("+"):
        return {"phone": target}
    if not target.isdigit():
        return {"modem": target}
    return {"user" if len(target) > TEMPLATE_DIGITS else "template": target}


def _switched(switches: faults.Faults, printer: Any, printed: set[str], name: str, target, on: bool) -> bool:
    if faults.exists(name):
        switches.switch(name, target, on)
        return True
    own = name.removeprefix("printer_")
    if printer is None or own == name or own not in PRINTER_FAULTS:
        return False
    printer.fault(own, on)
    (printed.add if on else printed.discard)(own)
    return True


def _ticket(path: Path) -> dict[str, Any]:
    try:
        at = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).get("at")
    except (OSError, ValueError):
        at = None
    return {"id": path.stem, "at": at, "png": f"/tickets/{path.name}"}


def _open_to_the_page(response: flask.Response) -> flask.Response:
    """The page that shows the sandbox comes from the gateway's port, which is another origin to a browser."""
    origin = flask.request.headers.get("Origin", "")
    if _LOOPBACK.fullmatch(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        response.headers["Vary"] = "Origin"
    return response
