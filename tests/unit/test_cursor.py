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
    assert POSITION not in sealed


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
@given(st.integers(0, 69), st.characters())
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
