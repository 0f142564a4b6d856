"""User tokens: minted by a backend for its users, and revoked."""

from __future__ import annotations

from accounts.errors import NotAllowed, NotFound, UserNameInvalid
from accounts.services import IssuedToken, issue_user_token, revoke_user_token, revoke_user_tokens
from conferences.api.operations import ApiView, Call, operation
from conferences.api.serializers import users as shapes
from conferences.api.serializers.tickets import Count


class UserTokensView(ApiView):
    @operation(
        "createUserToken",
        body=shapes.NewUserToken,
        answer=shapes.UserTokenShape,
        status=201,
        refusals=(NotAllowed, UserNameInvalid),
    )
    def post(self, call: Call) -> IssuedToken:
        """Mint a token for one of the application's users."""
        return issue_user_token(
            actor=call.actor, application=call.application, user=call.name(), **call.only("seconds")
        )


class UserTokenView(ApiView):
    @operation("revokeUserToken", answer=Count, refusals=(NotAllowed, NotFound))
    def delete(self, call: Call, token_id: str) -> dict[str, int]:
        """Revoke one token: within a second it is refused everywhere."""
        revoke_user_token(actor=call.actor, application=call.application, token_id=int(token_id))
        return {"count": 1}


class UserTokenRevocationView(ApiView):
    @operation(
        "revokeUserTokens",
        body=shapes.UserOfTokens,
        answer=Count,
        refusals=(NotAllowed, NotFound, UserNameInvalid),
    )
    def post(self, call: Call) -> dict[str, int]:
        """Revoke all tokens of a user."""
        return {"count": revoke_user_tokens(actor=call.actor, application=call.application, user=call.name())}
