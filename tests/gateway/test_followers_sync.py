"""The list of followers is fetched page by page; what was read is kept, whatever happens in between."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, followers, tables
from gateway.channels import Fault, Refused, Unreachable

HOUR = 3_600
DAY = 24 * HOUR


class Page:
    """The Official Account as Zalo tells of it: its followers in order, and what is known of each."""

    def __init__(self, *ids, **known):
        self.ids, self.known = list(ids), known
        self.asked, self.fails_at, self.told = [], None, []

    def users(self, offset, count=50, *, follower=None, period=None, tag=None):
        self._answers("users", offset)
        assert follower is True and count <= 50 and offset <= 9_951
        return len(self.ids), self.ids[offset : offset + count]

    def user(self, user_id):
        self._answers("user", user_id)
        found = self.known.get(user_id, {"display_name": f"Người {user_id}", "user_is_follower": True})
        if isinstance(found, Exception):
            raise found
        return found

    def tag(self, user_id, name):
        self._answers("tag", user_id)
        self.told.append(("tag", user_id, name))

    def untag(self, user_id, name):
        self._answers("untag", user_id)
        self.told.append(("untag", user_id, name))

    def _answers(self, *call):
        self.asked.append(call)
        if self.fails_at is not None and len(self.asked) >= self.fails_at:
            raise Unreachable("mất mạng / no network", False)


def ids(count):
    return [f"{n:05d}" for n in range(count)]


def people(engine):
    with database.reading(engine) as session:
        return {row.id: row for row in session.scalars(select(tables.ZaloUser))}


def following(engine):
    return sorted(one.id for one in people(engine).values() if one.following)


def put(engine, user_id, **about):
    with database.writing(engine) as session:
        row = followers.known(session, user_id, 1)
        for name, value in about.items():
            setattr(row, name, value)


def test_the_whole_list_is_read_with_what_is_known_of_each(engine, config, eight):
    page = Page(*ids(120))
    page.known["00007"] = {
        "display_name": "Nguyễn Thị\x00 An ",
        "user_id_by_app": "777",
        "user_is_follower": True,
        "user_last_interaction_date": "23/11/2026",
        "shared_info": {"phone": 84905123456, "name": "An"},
        "tags_and_notes_info": {"tag_names": ["cư trú", "ưu tiên"]},
    }
    done = followers.sync(engine, page, config, eight)
    assert (done.total, done.new, done.gone, done.details, done.left) == (120, 120, 0, 120, 0)
    an = people(engine)["00007"]
    assert (an.name, an.by_app, an.phone, an.read_at) == ("Nguyễn Thị An", "777", "+84905123456", eight)
    assert an.seen_at == eight - 32 * HOUR  # the beginning of that day: no window is thought too long
    with database.reading(engine) as session:
        assert list(followers.tags(session, "00007")) == ["cư trú", "ưu tiên"]
    assert len(following(engine)) == 120


def test_a_young_list_is_not_fetched_again(engine, config, eight):
    followers.sync(engine, Page(*ids(3)), config, eight)
    again = Page(*ids(3))
    followers.sync(engine, again, config, eight + 23 * HOUR)
    assert again.asked == []
    followers.sync(engine, again, config, eight + 24 * HOUR)
    assert [call[0] for call in again.asked] == ["users", "user", "user", "user"]


def test_who_is_no_longer_listed_follows_no_more(engine, config, eight):
    followers.sync(engine, Page(*ids(60)), config, eight)
    done = followers.sync(engine, Page(*ids(60)[3:]), config, eight + DAY)
    assert (done.new, done.gone) == (0, 3)
    assert following(engine) == ids(60)[3:]


def test_who_began_to_follow_while_the_list_was_read_stays(engine, config, eight):
    put(engine, "neu", following=True, following_at=eight + 1)
    followers.sync(engine, Page(*ids(3)), config, eight)
    assert following(engine) == [*ids(3), "neu"]


def test_who_left_after_the_list_was_begun_is_not_taken_back(engine, config, eight):
    put(engine, "00001", following=False, following_at=eight + 1)
    page = Page(*ids(3))
    followers.sync(engine, page, config, eight)
    assert following(engine) == ["00000", "00002"]


def test_nobody_is_thought_gone_when_the_list_moved_under_our_hands(engine, config, eight):
    followers.sync(engine, Page(*ids(120)), config, eight)
    page = Page(*ids(120))
    whole = page.users

    def users(offset, count=50, **kind):  # one leaves after the first page: the 51st moves onto it
        answer = whole(offset, count, **kind)
        if offset == 0:
            page.ids = page.ids[1:]
        return answer

    page.users = users
    done = followers.sync(engine, page, config, eight + DAY)
    assert done.gone == 0 and len(following(engine)) == 120


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 30, 70, 123])
def test_a_failure_in_the_middle_loses_nothing_that_was_read(engine, config, eight, fails_at):
    page = Page(*ids(120))
    page.fails_at = fails_at
    with pytest.raises(Unreachable):
        followers.sync(engine, page, config, eight)
    read = list(page.asked[:-1])
    page.fails_at, page.asked = None, []
    done = followers.sync(engine, page, config, eight + 60)
    assert not [call for call in read if call in page.asked]  # and nothing is asked twice
    assert len(following(engine)) == 120 and done.left == 0
    assert all(row.read_at for row in people(engine).values())


def test_details_are_fetched_a_few_at_a_time_the_newcomers_first(engine, config, eight):
    page = Page(*ids(9))
    assert followers.sync(engine, page, config, eight, most=0).left == 9
    assert followers.meet(engine, page, config, eight) == 5
    assert followers.meet(engine, page, config, eight) == 4
    assert followers.meet(engine, page, config, eight) == 0


def test_somebody_whom_zalo_does_not_tell_of_holds_up_nobody(engine, config, eight):
    page = Page(*ids(3))
    page.known["00001"] = Refused("-213", "không theo dõi / does not follow", "phone", Fault.PERSON)
    assert followers.sync(engine, page, config, eight).left == 0
    assert people(engine)["00002"].name == "Người 00002"


def test_an_account_that_refuses_everything_is_the_caller_s_to_know(engine, config, eight):
    page = Page(*ids(3))
    page.known["00001"] = Refused("-216", "hết hạn / token", "account", Fault.TOKEN)
    with pytest.raises(Refused):
        followers.sync(engine, page, config, eight)
    assert people(engine)["00000"].name == "Người 00000"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("84905123456", "+84905123456"),
        (84905123456, "+84905123456"),
        ("0905123456", "+84905123456"),
        (905123456, "+84905123456"),
        ("+84 905 123 456", "+84905123456"),
        ("0236123456", None),
        (0, None),
        ("", None),
        (None, None),
        ({"a": 1}, None),
        ("9" * 500, None),
    ],
)
def test_a_shared_phone_comes_in_many_forms(sqlite, config, eight, told, kept):
    page = Page("555")
    page.known["555"] = {"display_name": "An", "shared_info": {"phone": told}}
    followers.sync(sqlite, page, config, eight)
    assert people(sqlite)["555"].phone == kept


def test_the_last_word_only_moves_forward(engine, config, eight):
    put(engine, "555", seen_at=eight - HOUR)
    page = Page("555")
    page.known["555"] = {"user_last_interaction_date": "24/11/2026"}
    followers.sync(engine, page, config, eight)
    assert people(engine)["555"].seen_at == eight - HOUR


@pytest.mark.parametrize("told", ["31/02/2026", "2026-11-24", "01/01/2030", 5, None, [], "01/01/0001"])
def test_a_date_that_is_none_or_is_to_come_is_no_word(sqlite, config, eight, told):
    page = Page("555")
    page.known["555"] = {"user_last_interaction_date": told, "tags_and_notes_info": told, "shared_info": told}
    followers.sync(sqlite, page, config, eight)
    assert people(sqlite)["555"].seen_at == 0


def test_followers_beyond_zalo_s_list_are_said_and_nobody_is_taken_for_gone(sqlite, config, eight):
    put(sqlite, "far", following=True, following_at=1)
    page = Page(*ids(10_050))
    done = followers.sync(sqlite, page, config, eight, most=0)
    assert (done.total, done.new, done.beyond, done.gone) == (10_050, 10_000, 50, 0)
    assert "far" in following(sqlite)


def test_a_list_that_ends_before_its_count_ends(sqlite, config, eight):
    page = Page(*ids(60))
    page.users = lambda offset, count=50, **kind: (500, page.ids[offset : offset + count])
    put(sqlite, "far", following=True, following_at=1)
    done = followers.sync(sqlite, page, config, eight, most=0)
    assert done.new == 60 and done.gone == 0 and "far" in following(sqlite)


def test_a_tag_goes_to_zalo_later_and_once(engine, config, eight):
    page = Page(*ids(2))
    followers.sync(engine, page, config, eight)
    with database.writing(engine) as session:
        assert followers.put_tag(session, "00001", "  hẹn:  lại ", "binh", eight)
        assert not followers.put_tag(session, "00001", "hẹn: lại", "binh", eight)
        assert not followers.put_tag(session, "nobody", "hẹn", "binh", eight)
        assert not followers.put_tag(session, "00001", " \n ", "binh", eight)
        assert followers.waiting_tags(session) == 1
    assert followers.push_tags(engine, page, eight) == 1
    assert followers.push_tags(engine, page, eight) == 0
    assert page.told == [("tag", "00001", "hẹn: lại")]
    with database.writing(engine) as session:
        assert followers.take_tag(session, "00001", "hẹn: lại", "binh", eight)
        assert not followers.take_tag(session, "00001", "hẹn: lại", "binh", eight)
    followers.push_tags(engine, page, eight)
    assert page.told[1:] == [("untag", "00001", "hẹn: lại")]


def test_a_tag_that_could_not_be_told_waits(engine, config, eight):
    page = Page("555")
    followers.sync(engine, page, config, eight)
    with database.writing(engine) as session:
        followers.put_tag(session, "555", "hẹn lại", "binh", eight)
    page.fails_at = 0
    with pytest.raises(Unreachable):
        followers.push_tags(engine, page, eight)
    page.fails_at = None
    assert followers.push_tags(engine, page, eight) == 1


def test_a_tag_that_zalo_refuses_for_one_stays_ours_and_holds_up_nobody(engine, config, eight):
    page = Page(*ids(2))
    followers.sync(engine, page, config, eight)
    with database.writing(engine) as session:
        for user_id in ids(2):
            followers.put_tag(session, user_id, "hẹn lại", "binh", eight)
    whole = page.tag

    def tag(user_id, name):
        if user_id == "00000":
            raise Refused("-213", "không theo dõi / does not follow", "phone", Fault.PERSON)
        whole(user_id, name)

    page.tag = tag
    assert followers.push_tags(engine, page, eight) == 1
    with database.reading(engine) as session:
        assert followers.waiting_tags(session) == 0
        assert list(followers.tags(session, "00000")) == ["hẹn lại"]


def test_what_zalo_says_of_tags_does_not_undo_what_it_was_not_told_yet(engine, config, eight):
    page = Page("555")
    page.known["555"] = {"tags_and_notes_info": {"tag_names": ["cũ", "giữ"]}}
    followers.sync(engine, page, config, eight)
    with database.writing(engine) as session:
        followers.put_tag(session, "555", "mới", "binh", eight)
        followers.take_tag(session, "555", "cũ", "binh", eight)
        followers.tag(session, "555", followers.NO_NEWS)
    followers.sync(engine, page, config, eight + DAY)
    with database.reading(engine) as session:
        assert sorted(followers.tags(session, "555")) == sorted([followers.NO_NEWS, "giữ", "mới"])


def test_who_has_written_without_following_is_known_by_name_too(engine, config, eight):
    put(engine, "901", seen_at=eight - HOUR)
    put(engine, "902", seen_at=eight - 30 * DAY)
    page = Page()
    page.known["901"] = {"display_name": "Lê Chi", "user_is_follower": False}
    assert followers.meet(engine, page, config, eight) == 1
    assert people(engine)["901"].name == "Lê Chi" and not people(engine)["901"].following


def test_who_withdrew_while_zalo_was_asked_does_not_come_back(engine, config, eight):
    put(engine, "555", following=True, following_at=eight)
    page = Page()

    def user(_user_id):
        with database.writing(engine) as session:
            followers.erase(session, "555", config, eight)
        return {"display_name": "An", "user_is_follower": True, "tags_and_notes_info": {"tag_names": ["x"]}}

    page.user = user
    followers.meet(engine, page, config, eight)
    assert people(engine) == {}
