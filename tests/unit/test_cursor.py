import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from incidents.domain import model
from incidents.domain.errors import MalformedRequest
from incidents.domain.identity import Identity
from incidents.storage import cursor, keys
from ulid import ULID

ADA = Identity("acme", "ada", None, frozenset())
POSITION = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
with_environment = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=500)


def test_a_cursor_works_for_the_same_list_and_any_person_of_the_tenant() -> None:
    sealed = cursor.seal(POSITION, ADA, "list", "desc")

    assert cursor.unseal(sealed, ADA._replace(subject="grace"), "list", "desc") == POSITION


def test_cursors_of_one_position_have_one_length_and_nothing_else_in_common() -> None:
    pairs = [[urlsafe_b64decode(cursor.seal(position, ADA, "list") + "==") for _ in range(2)] for position in "17"]
    pairs += [[urlsafe_b64decode(cursor.seal(POSITION, ADA, "list") + "==") for _ in range(2)]]

    assert {len(raw) for pair in pairs for raw in pair} == {64}
    for one, other in pairs:
        assert not {one[place : place + 4] for place in range(61)} & {other[place : place + 4] for place in range(61)}


def test_a_repeated_nonce_shows_only_that_the_positions_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", bytes)
    position = POSITION[:-1]
    sealed = [urlsafe_b64decode(cursor.seal(position + digit, ADA, "list") + "==")[16:] for digit in "667"]

    assert sealed[0] == sealed[1]
    assert sum(one == other for one, other in zip(sealed[0], sealed[2], strict=True)) < 8


def test_a_position_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        cursor.seal("x" * 65, ADA, "list")


def test_a_longer_position_has_two_blocks_that_differ_even_if_their_texts_are_equal() -> None:
    position = "x" * 64
    sealed = cursor.seal(position, ADA, "updates")
    raw = urlsafe_b64decode(sealed)

    assert cursor.unseal(sealed, ADA, "updates") == position
    assert len(raw) == 96
    assert raw[32:64] != raw[64:]
    for place, character in enumerate(sealed):
        with pytest.raises(MalformedRequest):
            cursor.unseal(sealed[:place] + ("A" if character != "A" else "B") + sealed[place + 1 :], ADA, "updates")
    for shorter in (raw[:64], raw[:32], raw[:95]):
        with pytest.raises(MalformedRequest):
            cursor.unseal(urlsafe_b64encode(shorter).decode().rstrip("="), ADA, "updates")


@pytest.mark.parametrize("name", ["CURSOR_KEY", "CURSOR_KEY_BEFORE"])
def test_a_cursor_of_release_0_1_is_accepted_for_the_same_list_only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("CURSOR_KEY", "CURSOR_KEY_BEFORE"):
        monkeypatch.setenv(variable, "k" if variable == name else "another")
    context = b'["acme", null, "list", "desc"]'
    mac = hmac.digest(b"k", context + POSITION.encode(), "sha256")[:16]
    former = urlsafe_b64encode(POSITION.encode() + mac).decode().rstrip("=")

    assert cursor.unseal(former, ADA, "list", "desc") == POSITION
    with pytest.raises(MalformedRequest):
        cursor.unseal(former, ADA, "list", "asc")
    with pytest.raises(MalformedRequest):
        cursor.unseal(former[:-1] + "A", ADA, "list", "desc")


@pytest.mark.parametrize(
    ("identity", "about"),
    [
        (ADA._replace(tenant_id="globex"), ("list", "desc")),
        (ADA._replace(app_id="soc-portal"), ("list", "desc")),
        (ADA, ("list", "asc")),
        (ADA, ("changes", "desc")),
        (ADA, ("list",)),
        (ADA, ("listdesc",)),
        (ADA, ("list", "desc", "")),
    ],
)
def test_a_cursor_fails_for_another_tenant_application_or_list(identity: Identity, about: tuple[str, ...]) -> None:
    with pytest.raises(MalformedRequest):
        cursor.unseal(cursor.seal(POSITION, ADA, "list", "desc"), identity, *about)


@pytest.mark.parametrize("key", ["", "{{resolve:secretsmanager:arn}}"])
def test_a_missing_or_unresolved_key_seals_no_cursor(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("CURSOR_KEY", key)

    with pytest.raises(RuntimeError, match="CURSOR_KEY"):
        cursor.seal(POSITION, ADA, "list")


@with_environment
@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda data: data.hex()))
def test_a_text_that_was_not_sealed_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(MalformedRequest):
        cursor.unseal(text, ADA, "list")


@with_environment
@given(st.integers(0, 85), st.characters())
def test_a_changed_cursor_is_refused(place: int, character: str) -> None:
    sealed = cursor.seal(POSITION, ADA, "list")
    changed = sealed[:place] + character + sealed[place + 1 :]
    if changed != sealed:
        with pytest.raises(MalformedRequest):
            cursor.unseal(changed, ADA, "list")


@given(st.integers(0, 253_370_764_799_999))
def test_the_id_range_of_a_millisecond_contains_every_id_made_in_it(milliseconds: int) -> None:
    made = ULID.from_bytes(milliseconds.to_bytes(6, "big") + b"\x7f" * 10)
    first, last = keys.ids_made_at(milliseconds)

    assert first <= f"inc_{made}" <= last
    assert model.INCIDENT_ID.fullmatch(first)
    assert model.INCIDENT_ID.fullmatch(last)
    assert keys.ids_made_at(milliseconds + 1)[0] > last
