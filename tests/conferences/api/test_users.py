"""User tokens over REST."""

from __future__ import annotations

from accounts.authentication import forget
from tests.api_client import Api, answered, problem, refused


def test_a_token_acts_as_its_user(backend):
    made = answered(backend.post("/user-tokens", {"memName": "acme#live_dave", "ttlMillis": 60_000}), 201)
    assert made["memName"] == "dave"
    created = answered(Api(made["token"]).post("/conferences"), 201)
    assert answered(backend.get(f"/conferences/{created['confrId']}"))["creator"] == "dave"


def test_a_revoked_token_is_refused(backend):
    first, second = (answered(backend.post("/user-tokens", {"memName": "dave"}), 201) for _ in range(2))
    assert answered(backend.delete(f"/user-tokens/{first['tokenId']}")) == {"count": 1}
    forget()
    problem(Api(first["token"]).post("/conferences"), 401, "credentials_invalid")
    answered(Api(second["token"]).post("/conferences"), 201)
    assert answered(backend.post("/user-tokens/revoke", {"memName": "dave"})) == {"count": 1}
    forget()
    problem(Api(second["token"]).post("/conferences"), 401, "credentials_invalid")


def test_tokens_are_of_known_users_and_live_thirty_days_at_most(backend):
    refused(lambda: backend.post("/user-tokens/revoke", {"memName": "zed"}), 404, "not_found")
    refused(lambda: backend.delete("/user-tokens/999999"), 404, "not_found")
    body = {"memName": "dave", "ttlMillis": 31 * 86_400_000}
    refused(lambda: backend.post("/user-tokens", body), 400, "bad_parameters")


def test_users_mint_nothing(as_user):
    dave = as_user("dave")
    refused(lambda: dave.post("/user-tokens", {"memName": "erin"}), 403, "not_allowed")
