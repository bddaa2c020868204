"""Unsubscribe and preferences over real HTTP (RFC 8058), by a token alone."""

from __future__ import annotations

import httpx
import pytest
from lxml import html

from subscribers import Keyring, Purpose

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
CONFIRMED = ("confirmed", "")
BY_CLICK = ("unsubscribed", "one_click")
BY_PAGE = ("unsubscribed", "page")


def post(client, path: str, encoding: str, fields: dict[str, str]):
    if encoding == "multipart":
        return client.post(path, files={k: (None, v) for k, v in fields.items()})
    return client.post(path, data=fields)


@pytest.mark.parametrize("encoding", ["multipart", "urlencoded"])
def test_one_click_unsubscribes_from_that_list_only(
    newsroom, client, encoding: str
) -> None:
    found = post(client, newsroom.unsubscribe_path(2), encoding, ONE_CLICK)
    assert found.status_code == 200
    assert "You are unsubscribed" in found.text
    assert "set-cookie" not in found.headers
    assert newsroom.states() == [CONFIRMED, BY_CLICK, CONFIRMED]


@pytest.mark.parametrize("encoding", ["multipart", "urlencoded"])
def test_twice_is_the_same_as_once(newsroom, client, encoding: str) -> None:
    path = newsroom.unsubscribe_path()
    first = post(client, path, encoding, ONE_CLICK)
    after = newsroom.dump()
    again = post(client, path, encoding, {"from": "page"})
    assert (again.status_code, again.text) == (200, first.text)
    assert newsroom.dump() == after


@pytest.mark.parametrize("encoding", ["multipart", "urlencoded"])
def test_the_order_and_company_of_fields_do_not_matter(
    newsroom, client, encoding: str
) -> None:
    fields = {"a": "1", **ONE_CLICK, "z": "ü"}
    assert post(client, newsroom.unsubscribe_path(), encoding, fields).is_success
    assert newsroom.states()[0] == BY_CLICK


def test_a_file_among_the_fields_is_passed_over(newsroom, client) -> None:
    files = {"x": ("x.txt", b"data"), "List-Unsubscribe": (None, "One-Click")}
    assert client.post(newsroom.unsubscribe_path(), files=files).is_success
    assert newsroom.states()[0] == BY_CLICK


def test_the_body_as_the_rfc_prints_it_is_understood(newsroom, client) -> None:
    body = (
        b"------FormBoundaryExample\r\n"
        b'Content-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
        b"One-Click\r\n------FormBoundaryExample--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=----FormBoundaryExample"}
    path = newsroom.unsubscribe_path()
    assert client.post(path, content=body, headers=headers).is_success
    assert newsroom.states()[0] == BY_CLICK


def test_a_token_in_capitals_works_as_well(newsroom, client) -> None:
    token = newsroom.unsubscribe_path().rpartition("/")[2].upper()
    assert client.post(f"/u/{token}", data=ONE_CLICK).is_success
    assert newsroom.states()[0] == BY_CLICK


def test_the_page_has_a_button_that_unsubscribes(newsroom, client) -> None:
    path = newsroom.unsubscribe_path(3)
    form = html.fromstring(client.get(path).content).forms[0]
    # An empty action posts to the page's own address.
    assert (form.method, form.get("action")) == ("POST", None)
    found = client.post(path, data=dict(form.form_values()))
    assert found.status_code == 200
    assert newsroom.states() == [CONFIRMED, CONFIRMED, BY_PAGE]


def test_a_link_whose_subscription_is_gone_says_what_is_true(newsroom, client) -> None:
    found = client.post(newsroom.unsubscribe_path(4711), data=ONE_CLICK)
    assert found.status_code == 200
    assert newsroom.states() == [CONFIRMED] * 3


def test_a_link_sealed_with_an_older_key_still_works(engine, open_site) -> None:
    old = Keyring([("a", bytes(32))])
    both = Keyring([("b", bytes(range(32))), ("a", bytes(32))])
    room = open_site(engine, keyring=both)
    room.subscribe("daily")
    url = f"{room.base_url}/u/{old.seal(Purpose.UNSUBSCRIBE, 1)}"
    assert httpx.post(url, data=ONE_CLICK, trust_env=False).is_success
    assert room.states() == [BY_CLICK]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", None),
        (b"", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=No", "application/x-www-form-urlencoded"),
        (b"One-Click=List-Unsubscribe", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click", "text/plain"),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
        (b"List-Unsubscribe=One-Click", "multipart/form-data"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"a=1&" * 60 + b"List-Unsubscribe=One-Click", "multipart/form-data"),
    ],
)
def test_a_body_that_asks_for_nothing_changes_nothing(
    newsroom, client, content: bytes, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    path = newsroom.unsubscribe_path()
    found = client.post(path, content=content, headers=headers)
    assert found.status_code == 400
    assert "nothing was changed" in found.text
    assert newsroom.states() == [CONFIRMED] * 3


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("page", ["/u/", "/p/"])
def test_a_body_of_more_than_64_kilobytes_is_refused(
    newsroom, client, page: str, *, chunked: bool
) -> None:
    path = newsroom.unsubscribe_path() if page == "/u/" else newsroom.preferences_path()
    body = b"List-Unsubscribe=One-Click&list=*&x=" + b"x" * 65_537
    pieces = (body[at : at + 8192] for at in range(0, len(body), 8192))
    found = client.post(
        path,
        content=pieces if chunked else body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert found.status_code == 413
    assert newsroom.states() == [CONFIRMED] * 3


def test_a_body_of_almost_64_kilobytes_is_read(newsroom, client) -> None:
    fields = {**ONE_CLICK, "x": "x" * 65_000}
    assert client.post(newsroom.unsubscribe_path(), data=fields).is_success
    assert newsroom.states()[0] == BY_CLICK


def bad_tokens(newsroom) -> list[str]:
    good = newsroom.unsubscribe_path().rpartition("/")[2]
    seal = newsroom.keyring.seal
    other = Keyring([("a", bytes(range(32)))])
    return [
        "x",
        "0",
        good[:-1],
        good + "00",
        "b" + good[1:],
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "%00" * 49,
        "ü" * 49,
        "%2e%2e",
        seal(Purpose.RETURN_PATH, 1),
        seal(Purpose.CONFIRM, 1),
        seal(Purpose.UNSUBSCRIBE, 1, context="other"),
        seal(Purpose.UNSUBSCRIBE, 1, 2),
        seal(Purpose.PREFERENCES, 1, 2),
        other.seal(Purpose.UNSUBSCRIBE, 1),
        other.seal(Purpose.PREFERENCES, 1),
    ]


@pytest.mark.parametrize("page", ["/u/", "/p/"])
def test_bad_tokens_look_all_the_same_and_do_nothing(
    newsroom, client, page: str
) -> None:
    before = newsroom.dump()
    answers = set()
    for token in bad_tokens(newsroom):
        fields = {**ONE_CLICK, "from": "page", "list": "*"}
        for found in (client.get(page + token), client.post(page + token, data=fields)):
            headers = {k: v for k, v in found.headers.items() if k != "date"}
            answers.add((found.status_code, found.text, str(headers)))
    assert len(answers) == 1
    status, text, _ = answers.pop()
    assert status == 404
    assert "This link does not work" in text
    assert newsroom.dump() == before


def test_an_unsubscribe_token_opens_no_preferences_nor_the_other_way_round(
    newsroom, client
) -> None:
    swapped = [
        newsroom.unsubscribe_path().replace("/u/", "/p/"),
        newsroom.preferences_path().replace("/p/", "/u/"),
    ]
    for path in swapped:
        assert client.get(path).status_code == 404
        assert client.post(path, data=ONE_CLICK).status_code == 404
    assert newsroom.states() == [CONFIRMED] * 3


def test_pages_behind_tokens_are_kept_by_nobody(newsroom, client) -> None:
    for path in (newsroom.unsubscribe_path(), newsroom.preferences_path(), "/u/bad"):
        for found in (client.get(path), client.post(path, data=ONE_CLICK)):
            assert found.headers["cache-control"] == "no-store"
            assert found.headers["referrer-policy"] == "no-referrer"
            assert found.headers["x-robots-tag"] == "noindex"
            assert "set-cookie" not in found.headers


def test_pages_behind_tokens_never_name_the_person(newsroom, client) -> None:
    for path in (newsroom.unsubscribe_path(), newsroom.preferences_path()):
        text = client.get(path).text.lower()
        assert "reader.example" not in text
        assert ">ann" not in text


def buttons(text: str) -> list[str]:
    return html.fromstring(text).xpath("//button[@name='list']/@value")


def test_preferences_show_every_list_with_its_button(newsroom, client) -> None:
    page = client.get(newsroom.preferences_path()).text
    names = [h.strip() for h in html.fromstring(page).xpath("//main//h2/text()")]
    assert names == ["The daily list", "The weekly list", "The yearly list"]
    assert buttons(page) == ["daily", "weekly", "yearly", "*"]


def test_a_button_on_the_preferences_page_leaves_that_list(newsroom, client) -> None:
    found = client.post(newsroom.preferences_path(), data={"list": "weekly"})
    assert found.status_code == 200
    assert "no more mail from: The weekly list." in found.text
    assert buttons(found.text) == ["daily", "yearly", "*"]
    assert newsroom.states() == [CONFIRMED, BY_PAGE, CONFIRMED]


def test_several_lists_can_be_left_at_once_and_again(newsroom, client) -> None:
    path, fields = newsroom.preferences_path(), {"list": ["daily", "yearly"]}
    first = client.post(path, data=fields)
    after = newsroom.dump()
    assert buttons(first.text) == ["weekly"]
    assert client.post(path, data=fields).text == first.text
    assert newsroom.dump() == after


def test_the_last_button_leaves_them_all(newsroom, client) -> None:
    found = client.post(newsroom.preferences_path(), data={"list": "*"})
    assert buttons(found.text) == []
    assert newsroom.states() == [BY_PAGE] * 3


@pytest.mark.parametrize("fields", [{}, {"list": "none-such"}, {"other": "daily"}])
def test_choosing_no_list_changes_nothing(
    newsroom, client, fields: dict[str, str]
) -> None:
    found = client.post(newsroom.preferences_path(), data=fields)
    assert found.status_code == 400
    assert newsroom.states() == [CONFIRMED] * 3


def test_somebody_unknown_is_on_no_list(newsroom, client) -> None:
    found = client.get(newsroom.preferences_path(4711))
    assert found.status_code == 200
    assert "on none of our lists" in found.text
