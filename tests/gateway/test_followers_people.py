"""Who a person is to the page: kept from events that come late, twice, and with strange texts."""

from __future__ import annotations

import pytest

from gateway import database, followers, tables


@pytest.fixture
def an(engine, eight):
    with database.writing(engine) as session:
        followers.known(session, "1001", eight)
    return "1001"


def changed(engine, eight, act, who="1001"):
    """Do something to a person; (what it said, the person)."""
    with database.writing(engine) as session:
        row = followers.known(session, who, eight)
        said = act(session, row)
    with database.reading(engine) as session:
        return said, session.get(tables.ZaloUser, who)


def test_a_new_person_is_made_once(engine, eight, an):
    with database.writing(engine) as session:
        again = followers.known(session, an, eight + 60)
        assert (again.created_at, again.following, again.seen_at, again.phone) == (eight, False, 0, None)


def test_the_last_word_only_moves_forward(engine, eight):
    for at, expected in ((eight, eight), (eight - 60, eight), (eight + 60, eight + 60)):
        _, row = changed(engine, eight, lambda _, row, at=at: followers.interacted(row, at))
        assert row.seen_at == expected


@pytest.mark.parametrize("order", [("follow", "unfollow"), ("unfollow", "follow")])
def test_the_newest_event_says_whether_they_follow(engine, eight, order):
    times = {"follow": eight, "unfollow": eight + 5}
    for name in order:
        if name == "follow":
            changed(
                engine, eight, lambda session, row: followers.follow(session, row, times["follow"], eight)
            )
        else:
            changed(engine, eight, lambda session, row: followers.unfollow(session, row, times["unfollow"]))
    _, row = changed(engine, eight, lambda *_: None)
    assert (row.following, row.following_at) == (False, eight + 5)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0905 123 456", "+84905123456"),
        (84905123456, "+84905123456"),
        ("905123456", None),
        ("02353812345", None),
        ("", None),
        (None, None),
        ({"a": 1}, None),
    ],
)
def test_only_a_mobile_number_is_kept(engine, eight, text, kept):
    said, row = changed(engine, eight, lambda session, row: followers.bind_phone(session, row, text, eight))
    assert (said, row.phone) == (kept, kept)


def test_a_name_is_kept_clean_and_bounded(engine, eight):
    for given, kept in (
        ("  An \u0000 Bình\n", "An Bình"),
        ("", "An Bình"),
        (7, "An Bình"),
        ("A" * 500, "A" * 120),
    ):
        _, row = changed(engine, eight, lambda _, row, given=given: followers.named(row, given))
        assert row.name == kept


def test_a_word_is_put_on_once_and_taken_off_once(engine, an):
    with database.writing(engine) as session:
        said = [
            followers.tag(session, an, " khu  3 "),
            followers.tag(session, an, "khu 3"),
            followers.tag(session, an, " "),
        ]
        assert said == [True, False, False] and list(followers.tags(session, an)) == ["khu 3"]
        assert [followers.untag(session, an, "khu 3") for _ in range(2)] == [True, False]


def test_erasing_somebody_unknown_changes_nothing(engine, config, eight):
    with database.writing(engine) as session:
        assert followers.erase(session, "404", config, eight) is False
    with database.reading(engine) as session:
        assert session.query(tables.Audit).count() == 0


def test_erasing_takes_the_marks_of_tags_too_and_nobody_else_s(engine, config, eight, an):
    with database.writing(engine) as session:
        for name in ("tag:1001:vip", "tag:10012:vip", "zalo.variant"):
            session.add(tables.Fact(name=name, value="", at=eight))
        assert followers.erase(session, an, config, eight) is True
        assert followers.erase(session, an, config, eight) is False
    with database.reading(engine) as session:
        assert {one.name for one in session.query(tables.Fact)} == {"tag:10012:vip", "zalo.variant"}
