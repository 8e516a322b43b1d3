"""Consent: begun with an unguessable state and a verifier of its own, finished once, and watched."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pydantic
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from gateway import __main__ as commands
from gateway import alerts, checkup, connections, consent, database, safe, tables, tokens
from gateway import channels as rooms
from gateway.rules import hashes
from tests import running

DAY = 86_400
OA = "99"


@pytest.fixture
def console(config, tmp_path):
    own = config.zalo.model_copy(
        update={"pkce_mode": "console", "consent_link": "https://oauth.example.vn/v4/oa/permission?app_id=1"}
    )
    return config.model_copy(update={"zalo": own})


def begun(engine, config, now, by="chi"):
    with database.writing(engine) as session:
        link = consent.begin(session, config, by, now)
    with database.reading(engine) as session:
        wanted = select(tables.ZaloConsent).order_by(tables.ZaloConsent.made_at.desc()).limit(1)
        return link, session.scalar(wanted)


def taken(engine, state, now):
    with database.writing(engine) as session:
        return consent.take(session, state, now)


def finished(engine, config, now, pair=("a1", "r1", 90_000)):
    with database.writing(engine) as session:
        consent.finish(session, config, pair, "chi", now)


def standing(engine, config, now):
    with database.reading(engine) as session:
        return consent.standing(session, config, now)


def looked(engine, config, now):
    with database.writing(engine) as session:
        consent.look(session, config, now)
    with database.reading(engine) as session:
        return {one.kind: one.count for one in alerts.open_ones(session)}


def change(engine, **values):
    with database.writing(engine) as session:
        row = session.get(tables.ZaloToken, OA)
        for name, value in values.items():
            setattr(row, name, value)


# Begun


def test_the_link_carries_the_challenge_of_a_verifier_that_only_we_have(engine, config, eight):
    link, row = begun(engine, config, eight)
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "oauth.zaloapp.com", "/v4/oa/permission")
    assert parse_qs(parts.query) == {
        "app_id": ["1234567890"],
        "redirect_uri": ["http://127.0.0.1:8080/zalo/callback"],
        "code_challenge": [hashes.pkce_challenge(row.verifier)],
        "state": [row.state],
    }
    assert len(row.verifier) == 43 and len(row.state) == 43 and row.verifier not in link
    assert (row.made_by, row.used_at) == ("chi", None)


def test_no_two_consents_share_a_state_or_a_verifier(engine, config, eight):
    made = [begun(engine, config, eight + n)[1] for n in range(5)]
    assert len({row.state for row in made}) == len({row.verifier for row in made}) == 5


def test_pkce_is_rfc_7636_s():
    octets = bytes(
        [116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186]
        + [22, 212, 37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121]
    )
    assert hashes.pkce_verifier(octets) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = hashes.pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_in_console_mode_one_verifier_is_kept_and_its_challenge_is_what_the_console_holds(
    engine, console, eight, tmp_path
):
    link, first = begun(engine, console, eight)
    _, second = begun(engine, console, eight + 1)
    assert link == "https://oauth.example.vn/v4/oa/permission?app_id=1"
    assert first.verifier == second.verifier == (tmp_path / "zalo_pkce_verifier").read_text()
    assert len(first.verifier) == 43
    assert consent.fixed_challenge(console) == hashes.pkce_challenge(first.verifier)


def test_console_mode_without_its_link_begins_nothing(engine, console, eight):
    bare = console.model_copy(update={"zalo": console.zalo.model_copy(update={"consent_link": ""})})
    with pytest.raises(consent.Unset), database.writing(engine) as session:
        consent.begin(session, bare, "chi", eight)
    with database.reading(engine) as session:
        assert session.scalars(select(tables.ZaloConsent)).all() == []


# Used


def test_what_was_begun_is_used_once(engine, config, eight):
    _, row = begun(engine, config, eight)
    assert taken(engine, row.state, eight + 5).verifier == row.verifier
    assert taken(engine, row.state, eight + 6) is None


@pytest.mark.parametrize("later, fits", [(0, True), (599, True), (600, False), (-1, False)])
def test_a_consent_is_open_for_ten_minutes(engine, config, eight, later, fits):
    _, row = begun(engine, config, eight)
    assert (taken(engine, row.state, eight + later) is not None) == fits


@pytest.mark.parametrize("state", ["", "x", "' OR 1=1 --", "đ" * 64])
def test_a_state_that_was_never_made_is_none(engine, config, eight, state):
    begun(engine, config, eight)
    assert taken(engine, state, eight) is None


def test_put_back_it_can_be_used_again(engine, config, eight):
    _, row = begun(engine, config, eight)
    taken(engine, row.state, eight)
    with database.writing(engine) as session:
        consent.put_back(session, row.state)
    assert taken(engine, row.state, eight + 1) is not None


def test_old_ones_are_forgotten(engine, config, eight):
    begun(engine, config, eight)
    begun(engine, config, eight + DAY + 1)
    with database.reading(engine) as session:
        assert len(session.scalars(select(tables.ZaloConsent)).all()) == 1


# Watched


def test_nobody_is_told_of_what_was_never_connected(engine, config, eight):
    assert standing(engine, config, eight) == consent.Standing(consent.State.NEVER)
    assert looked(engine, config, eight) == {}


@pytest.mark.parametrize(
    "days, state",
    [(0, "connected"), (1, "connected"), (2, "expired"), (80, "expired"), (80.1, "soon"), (89, "soon")],
)
def test_how_it_stands_by_its_age(engine, config, eight, days, state):
    finished(engine, config, eight)
    found = standing(engine, config, eight + int(days * DAY))
    assert found.state.value == state and found.well == (state != "soon")
    assert (found.refreshed_at, found.access_until) == (eight, eight + 90_000)
    assert found.renew_by == eight + 90 * DAY


def test_before_the_three_months_end_the_officer_is_told_and_a_renewal_ends_that(engine, config, eight):
    finished(engine, config, eight)
    assert looked(engine, config, eight + 80 * DAY) == {}
    late = eight + 80 * DAY + 1
    assert [looked(engine, config, late + n * 20) for n in range(3)] == [{"consent_soon": 1}] * 3
    finished(engine, config, late + 60)
    assert looked(engine, config, late + 80) == {}


def test_a_lost_grant_stays_told_for_as_long_as_it_is_lost(engine, config, eight):
    finished(engine, config, eight)
    change(engine, lost_reason="x / y")
    for day in range(5):
        assert list(looked(engine, config, eight + day * DAY)) == ["consent"]
        with database.writing(engine) as session:
            alerts.expire(session, eight + day * DAY + 3_600)
    finished(engine, config, eight + 5 * DAY)
    assert looked(engine, config, eight + 5 * DAY) == {}


def test_tokens_that_cannot_be_opened_are_told_too(engine, config, eight, tmp_path):
    finished(engine, config, eight)
    (tmp_path / "zalo_token_key").unlink()
    found = standing(engine, config, eight)
    assert found.state is consent.State.UNREADABLE and "not the key" in found.reason
    assert looked(engine, config, eight) == {"consent": 1}


# Asking Zalo


class Zalo(ThreadingHTTPServer):
    """Answers each path as `says` has it: a status and a body; `asked` are the forms it was sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Said)
        self.says: dict[str, tuple[int, str]] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Said(BaseHTTPRequestHandler):
    def do_GET(self):
        size = int(self.headers.get("Content-Length", 0))
        if size:
            self.server.asked.append(parse_qs(self.rfile.read(size).decode()))
        status, body = self.server.says[urlsplit(self.path).path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


TOKEN, GETOA = "/v4/oa/access_token", "/v2.0/oa/getoa"
YES = (200, '{"access_token": "a2", "refresh_token": "r2", "expires_in": "90000"}')


def account(**changes):
    about = {"oa_id": OA, "name": "Công an phường", "is_verified": True, "linked_ZCA": "Z1"} | changes
    return 200, json.dumps({"error": 0, "message": "Success", "data": about})


@pytest.fixture
def zalo():
    made = Zalo()
    made.says = {TOKEN: YES, GETOA: account()}
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def real(config, zalo):
    """The configuration with that Zalo behind every address."""
    bases = dict.fromkeys(("oauth_base", "oa_base", "business_base"), zalo.url)
    own = config.zalo.model_copy(update=bases)
    keys = {"zalo.app_secret": pydantic.SecretStr("app-secret")}
    return config.model_copy(update={"zalo": own, "secrets": keys})


def test_a_code_becomes_tokens_with_the_verifier_beside_it(real, zalo):
    assert connections.redeemer(real)("code-1", "verifier-1") == ("a2", "r2", 90_000)
    assert zalo.asked == [
        {
            "app_id": ["1234567890"],
            "grant_type": ["authorization_code"],
            "code": ["code-1"],
            "code_verifier": ["verifier-1"],
        }
    ]


def test_a_code_of_somebody_else_s_account_is_turned_down_whatever_the_browser_said(real, zalo):
    zalo.says[GETOA] = account(oa_id="66")
    with pytest.raises(consent.WrongAccount, match="66"):
        connections.redeemer(real)("code-1", None)


@pytest.mark.parametrize("said", [(500, "x"), (200, "<html>"), account(oa_id=None), (200, '{"error": -216}')])
def test_where_zalo_does_not_say_whose_they_are_the_tokens_are_taken(real, zalo, said):
    zalo.says[GETOA] = said
    assert connections.redeemer(real)("code-1", None)[0] == "a2"


@pytest.mark.parametrize(
    "said, fault",
    [
        ((200, '{"error": -14008, "error_name": "Invalid code"}'), consent.Refused),
        ((200, '{"error": -14002, "error_name": "Invalid appId"}'), consent.Refused),
        ((500, "{}"), consent.Away),
        ((200, "<html>busy</html>"), consent.Away),
        ((200, "{}"), consent.Away),
    ],
)
def test_a_code_that_gives_no_tokens_says_if_zalo_said_no_or_was_away(real, zalo, said, fault):
    zalo.says[TOKEN] = said
    with pytest.raises(fault):
        connections.redeemer(real)("code-1", None)


def test_without_the_app_s_secret_it_is_named(config):
    with pytest.raises(consent.Refused, match=r"zalo\.app_secret"):
        connections.redeemer(config)("code-1", None)


@pytest.mark.parametrize(
    "said",
    [
        (503, "{}"),
        (200, "<html>busy</html>"),
        (200, "{}"),
        (200, '{"error": -14002, "error_name": "Invalid appId"}'),
    ],
)
def test_what_says_nothing_about_the_refresh_token_never_loses_it(engine, real, zalo, eight, said):
    """HTTP 500, no JSON, wrong papers of ours: tried again later, for as long as it takes."""
    finished(engine, real, eight)
    zalo.says[TOKEN] = said
    for hours_later in range(1, 30):
        keeper = connections.keeper(real, engine, lambda at=hours_later: eight + at * 3_600)
        with pytest.raises((rooms.Unreachable, rooms.Refused)) as raised:
            keeper.renew("a1")
        assert not getattr(raised.value, "sent", False)
    assert standing(engine, real, eight).state is consent.State.CONNECTED
    zalo.says[TOKEN] = YES
    assert connections.keeper(real, engine, lambda: eight + 31 * 3_600).renew("a1") == "a2"


def test_a_refresh_token_that_zalo_refuses_is_told_to_channels_as_not_now_and_then_as_no_consent(
    engine, real, zalo, eight
):
    finished(engine, real, eight)
    zalo.says[TOKEN] = (200, '{"error": -14014, "error_name": "Invalid refresh token"}')
    now = [eight]
    keeper = connections.keeper(real, engine, lambda: now[0])
    with pytest.raises(rooms.Unreachable) as raised:
        keeper.renew("a1")
    assert raised.value.sent is False
    now[0] += 60
    with pytest.raises(tokens.NoConsent):
        keeper.renew("a1")
    assert len(zalo.asked) == 2 and standing(engine, real, now[0]).state is consent.State.LOST


# The command line


def line(config, engine, now, part):
    found = {one.part: one for one in checkup.findings(config, engine, now)}
    return found.get(part)


def test_check_says_how_old_the_grant_is_and_whose_page_it_is(engine, real, zalo, eight):
    assert "zalo consent" in line(real, engine, eight, "zalo token").text
    assert line(real, engine, eight, "zalo account") is None
    finished(engine, real, eight)
    later = eight + 3_600
    token, page = (line(real, engine, later, part) for part in ("zalo token", "zalo account"))
    assert token.well and "0 ngày trước" in token.text and "ends on 2027-02-22" in token.text
    assert page.well and page.text == "Công an phường"


@pytest.mark.parametrize(
    "changes, word",
    [({"is_verified": False}, "not verified"), ({"linked_ZCA": ""}, "no ZCA"), ({"oa_id": "66"}, "66")],
)
def test_check_says_what_the_page_lacks(engine, real, zalo, eight, changes, word):
    finished(engine, real, eight)
    zalo.says[GETOA] = account(**changes)
    found = line(real, engine, eight, "zalo account")
    assert not found.well and word in found.text


def test_check_says_that_the_grant_is_lost_and_asks_zalo_nothing(engine, real, zalo, eight):
    finished(engine, real, eight)
    change(engine, lost_reason="Zalo không nhận / no more")
    token = line(real, engine, eight, "zalo token")
    assert not token.well and token.text == "Zalo không nhận / no more"
    assert line(real, engine, eight, "zalo account") is None and zalo.asked == []


@pytest.fixture
def command(sqlite, config, tmp_path):
    """Runs `python -m gateway …` in this process, on the test's database and secrets."""
    own = {name: str(tmp_path / f"zalo_{name}") for name in ("token_key", "pkce_verifier")}
    environ = {
        "GATEWAY_CONFIG": str(running.ROOT / "config.toml"),
        "GATEWAY_DATABASE__URL": str(sqlite.url),
        **{f"GATEWAY_ZALO__{name.upper()}_FILE": path for name, path in own.items()},
    }

    def run(*words, given=None, **more):
        return CliRunner().invoke(commands.cli, words, input=given, env=environ | more)

    return run


@pytest.mark.parametrize(
    "words, given, environ",
    [
        (("--access", "a7", "--refresh", "r7"), None, {}),
        ((), "a7\nr7\n", {}),
        ((), '{"access_token": "a7", "refresh_token": "r7", "expires_in": "90000"}', {}),
        ((), None, {"GATEWAY_ZALO_ACCESS_TOKEN": "a7", "GATEWAY_ZALO_REFRESH_TOKEN": "r7"}),
    ],
)
def test_tokens_are_imported_from_words_from_a_pipe_or_from_the_environment(
    sqlite, config, command, words, given, environ
):
    done = command("zalo", "token", "import", *words, given=given, **environ)
    assert done.exit_code == 0, done.output
    box = safe.of(config)
    with database.reading(sqlite) as session:
        row = session.get(tables.ZaloToken, OA)
    assert (box.open(row.access_token), box.open(row.refresh_token)) == ("a7", "r7")


@pytest.mark.parametrize(
    "given", ["", "one", "one two three", "{}", '{"access_token": 1, "refresh_token": 2}']
)
def test_what_is_no_pair_changes_nothing(sqlite, command, given):
    done = command("zalo", "token", "import", given=given)
    assert done.exit_code == 1 and "nothing was changed" in done.output
    with database.reading(sqlite) as session:
        assert session.get(tables.ZaloToken, OA) is None


def test_the_consent_command_prints_the_link_last(sqlite, command):
    done = command("zalo", "consent")
    with database.reading(sqlite) as session:
        (row,) = session.scalars(select(tables.ZaloConsent)).all()
    assert done.exit_code == 0 and row.made_by == "operator"
    assert done.stdout.splitlines()[-1].endswith(f"&state={row.state}")


def test_in_console_mode_without_a_link_the_command_says_what_to_paste_where(command):
    done = command("zalo", "consent", GATEWAY_ZALO__PKCE_MODE="console")
    assert done.exit_code == 1 and "consent_link" in done.output and "/zalo/callback" in done.output


def test_a_broken_key_is_one_clear_line(command):
    done = command(
        "zalo", "token", "import", "--access", "a", "--refresh", "r", GATEWAY_ZALO__TOKEN_KEY="short"
    )
    assert done.exit_code == 1 and "zalo.token_key" in done.output and "Traceback" not in done.output
