"""Tests that tenants with similar names do not share keys, marks, cursors or files."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain import model
from incidents.domain.errors import MalformedRequest
from incidents.domain.identity import Identity
from incidents.storage import cursor, keys
from incidents_cli.operate.tenants.checkpoint import in_file_names

LOOK_ALIKES = ["acme", "Acme", "ACME", "aCme", "acme.", "acme-", "acme_", "acme.a", "acme0", "acme.INCIDENT"]
TENANTS = st.from_regex(model.TENANT_ID, fullmatch=True)


@pytest.mark.parametrize(("one", "other"), list(combinations(LOOK_ALIKES, 2)))
def test_look_alikes_share_no_partition_no_mark_and_no_file(one: str, other: str) -> None:
    assert not set(keys.partitions(one).values()) & set(keys.partitions(other).values())
    assert not any(keys.belongs_to_tenant(one, partition) for partition in keys.partitions(other).values())
    first, last = keys.marks_of_tenant(keys.METRIC_DAYS, one)
    marked = keys.mark(keys.METRIC_DAYS, other, "detected", "2026-01-01").sk
    assert not first.sk <= marked <= last.sk, "in the same shard, the other tenant's marks are not between"
    assert in_file_names(one).casefold() != in_file_names(other).casefold()


@given(TENANTS, TENANTS)
def test_two_tenants_have_two_files_also_where_case_does_not_count(one: str, other: str) -> None:
    for two in (other, one.swapcase(), one.lower(), one.upper()):
        assert (in_file_names(one).casefold() == in_file_names(two).casefold()) == (one == two)


@given(TENANTS)
def test_a_tenant_s_file_has_a_plain_name_and_a_lower_case_tenant_keeps_its_own(tenant: str) -> None:
    assert not set(in_file_names(tenant)) & set('/\\:*?"<>| ')
    assert in_file_names(tenant.lower()) == tenant.lower()


@pytest.mark.parametrize("tenant", LOOK_ALIKES[1:])
def test_a_cursor_of_one_tenant_is_refused_for_a_look_alike(tenant: str) -> None:
    acme = Identity("acme", "ada", None, frozenset())
    sealed = cursor.seal("inc_01M83J8EHSBKC38ZQ0R08TEPS6", acme, "list")
    with pytest.raises(MalformedRequest):
        cursor.unseal(sealed, acme._replace(tenant_id=tenant), "list")
