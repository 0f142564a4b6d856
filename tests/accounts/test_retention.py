"""What accounts forget, and what they keep."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.actors import system
from accounts.audit import verify_application
from accounts.idempotency import Answer, once
from accounts.models import IdempotentAnswer, Invitation, Staff, UserToken
from accounts.retention import purge


def test_only_answers_whose_day_is_over_are_purged(robot):
    for key in ("old", "new"):
        once(robot, "op", key, b"", lambda: Answer(200, b""))
    old = IdempotentAnswer.objects.earliest("pk")
    IdempotentAnswer.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert purge() == 1
    assert not IdempotentAnswer.objects.filter(pk=old.pk).exists()
    assert IdempotentAnswer.objects.count() == 1
    assert purge() == 0


def test_only_tokens_that_expired_long_ago_are_purged_and_the_log_keeps_them(application, robot, log_of):
    long_ago, lately, living = (
        services.issue_user_token(actor=robot, application=application, user="bob").token for _ in range(3)
    )
    for token, days in ((long_ago, 31), (lately, 29)):
        UserToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(days=days))
    assert purge() == 1
    assert set(UserToken.objects.all()) == {lately, living}
    assert log_of(application).count("user_token.issued") == 3
    assert list(verify_application(application.pk)) == []


def test_ended_sessions_and_old_invitations_are_purged(application):
    staff = Staff.objects.create_user("eve")
    for days in (-1, 1):
        client = Client()
        client.force_login(staff)
        client.get("/account/sessions/")
        expiry = timezone.now() + timedelta(days=days)
        Session.objects.filter(session_key=client.session.session_key).update(expire_date=expiry)
    for days in (31, 29):
        new = services.invite_staff(actor=system(), application=application, role="auditor")
        Invitation.objects.filter(pk=new.invitation.pk).update(expires_at=timezone.now() - timedelta(days=days))
    assert purge() == 2
    assert Session.objects.count() == UserSession.objects.count() == Invitation.objects.count() == 1
