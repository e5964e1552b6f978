"""Who calls: by their token, counted against their limit."""

from __future__ import annotations

from actors.domain.values import parse_id
from serve_app.http.messages import Principal, Request
from serve_app.http.problems import Problem
from serve_app.security.auth import Authenticator, unauthorized
from serve_app.security.rate_limits import Limiter


class Callers:
    """Tells a request's caller. Each method that returns one has counted the request, once however often it is asked."""

    def __init__(self, authenticator: Authenticator, limiter: Limiter) -> None:
        self._authenticator = authenticator
        self._limiter = limiter

    async def principal(self, request: Request) -> Principal | None:
        """The caller, None without a token. Raises Problem 401, 429, 503."""
        if not request.counted:
            authorization = request.headers.get("authorization")
            if authorization is not None:
                request.principal = await self.verified(authorization, request.client)
            self._limiter.check(request.principal, request.client)
            request.counted = True
        return request.principal

    async def verified(self, authorization: str, client: str) -> Principal:
        """Whose token this is; only a wrong one is counted against a limit. Raises Problem 401, 429, 503."""
        try:
            return await self._authenticator.authenticate(authorization)
        except Problem:
            self._limiter.check(None, client)  # guesses are an address's requests
            raise

    def count(self, principal: Principal | None, client: str) -> None:
        """Count one more request, of whom this says. Raises Problem 429."""
        self._limiter.check(principal, client)

    def caller_at_once(self, request: Request) -> Principal | None:
        """As `caller`, without waiting for anything; None, with nothing counted, when that takes more. Raises Problem 429."""
        authorization = request.headers.get("authorization")
        if not request.counted and authorization is not None:
            request.principal = self._authenticator.peek(authorization)
            if request.principal is not None:
                self._limiter.check(request.principal, request.client)
                request.counted = True
        return request.principal

    async def caller(self, request: Request) -> Principal:
        """The caller, who must have a token."""
        principal = await self.principal(request)
        if principal is None:
            raise unauthorized("token_missing", "this call needs `Authorization: Bearer <JWT>`")
        return principal

    async def privileged(self, request: Request) -> Principal:
        """The caller, who must be a service or an operator."""
        principal = await self.caller(request)
        if not principal.privileged:
            raise Problem(403, "role_forbidden", "expected the role service or operator")
        return principal

    async def operator(self, request: Request) -> Principal:
        """The caller, who must be an operator."""
        principal = await self.caller(request)
        if principal.role != "operator":
            raise Problem(403, "role_forbidden", "expected the role operator")
        return principal


def me(request: Request, principal: Principal | None) -> int:
    """The caller's user id, where `me` stood for it: from here on the answer is theirs alone. Raises Problem 401."""
    if principal is None:
        raise unauthorized("token_missing", "`me` needs `Authorization: Bearer <JWT>`")
    request.personal = True
    return principal.user_id


def path_user(request: Request, principal: Principal | None) -> int:
    """The user named in the path; `me` is the caller. Raises Problem 401, 404."""
    text = request.path["user"]
    if text == "me":
        return me(request, principal)
    try:
        return parse_id(text)
    except ValueError:
        raise Problem(404, "participant_unknown", f"there is no user {text[:40]}") from None
