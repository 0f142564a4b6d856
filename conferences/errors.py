"""Every refusal of the domain. A class is a row: code, HTTP status, what is wrong and what to do."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters, DomainError, NotFound, RateLimited


class ConferenceNotFound(NotFound):
    code = "conference_not_found"
    message = _("There is no such conference; check its id.")


class ConferenceClosed(DomainError):
    code, http_status = "conference_closed", 410
    message = _("The conference is over; create a new one.")


class ConferenceLocked(DomainError):
    code, http_status = "conference_locked", 403
    message = _("The conference is locked; ask an admin of it.")


class ConferenceNameTaken(DomainError):
    code, http_status = "conference_name_taken", 409
    message = _("A live conference has this name; join it, or choose another name.")


class ConferenceLimitReached(DomainError):
    code, http_status = "conference_limit_reached", 429
    message = _("The application has as many live conferences as it may; end one first.")


class PasswordWrong(DomainError):
    code, http_status = "password_wrong", 403
    message = _("The password is wrong; ask whoever invited you.")


class PasswordGuessedTooOften(RateLimited):
    code = "password_guessed_too_often"
    message = _("Too many wrong passwords; wait as long as Retry-After says.")


class TicketInvalid(DomainError):
    code, http_status = "ticket_invalid", 401
    message = _("The ticket is not one of ours; ask for a new one.")


class TicketExpired(DomainError):
    code, http_status = "ticket_expired", 401
    message = _("The ticket has expired; ask for a new one.")


class TicketRevoked(DomainError):
    code, http_status = "ticket_revoked", 401
    message = _("The ticket was revoked; ask for a new one.")


class TicketUsed(DomainError):
    code, http_status = "ticket_used", 401
    message = _("The ticket has been used for as many seats as it is good for; ask for a new one.")


class TicketNotFound(NotFound):
    code = "ticket_not_found"
    message = _("There is no such ticket; check its id.")


class RoleTokenInvalid(DomainError):
    code, http_status = "role_token_invalid", 403
    message = _("The role token is not valid here; ask for a new ticket.")


class Banned(DomainError):
    code, http_status = "banned", 403
    message = _("You may not enter this conference.")


class MembersFull(DomainError):
    code, http_status = "members_full", 409
    message = _("The conference is full; come back when somebody has left.")


class TalkersFull(DomainError):
    code, http_status = "talkers_full", 409
    message = _("All talkers' seats are taken; enter as audience or come back later.")


class AudienceFull(DomainError):
    code, http_status = "audience_full", 409
    message = _("All seats of the audience are taken; come back later.")


class VideosFull(DomainError):
    code, http_status = "videos_full", 409
    message = _("As many videos as may are being published; publish audio only, or come back later.")


class DesktopsFull(DomainError):
    code, http_status = "desktops_full", 409
    message = _("As many screens as may are being shared; come back later.")


class MemberNotFound(NotFound):
    code = "member_not_found"
    message = _("There is no such member in the conference; check the name.")


class ActsOnOneself(DomainError):
    code, http_status = "acts_on_oneself", 403
    message = _("You cannot do this to yourself; ask another admin.")


class StreamNotFound(NotFound):
    code = "stream_not_found"
    message = _("There is no such stream in the conference; check its id.")


class StreamIdInvalid(BadParameters):
    code = "stream_id_invalid"
    message = _("The rtcId is invalid; use 1 to 64 of A-Z, a-z, 0-9, _ and -.")


class StreamEnded(DomainError):
    code, http_status = "stream_ended", 410
    message = _("The stream is over; ask for a new URL.")


class StreamBusy(DomainError):
    code, http_status = "stream_busy", 409
    message = _("The stream is being published by another client; stop that one first.")


class StreamHasNoPicture(DomainError):
    code, http_status = "stream_has_no_picture", 409
    message = _("The stream carries sound only; there is no picture of it.")


class PictureNotReady(DomainError):
    code, http_status = "picture_not_ready", 503
    message = _("There is no picture of the stream yet; ask again in a second.")


class Muted(DomainError):
    code, http_status = "muted", 403
    message = _("You are muted; ask an admin of the conference.")


class AttributesTooLarge(BadParameters):
    code = "attributes_too_large"
    message = _("The attributes are too large; keep at most 100 keys and 16 KiB together.")


class MessageTooLarge(BadParameters):
    code = "message_too_large"
    message = _("The message is too large; send at most 8 KiB.")


class BanNotFound(NotFound):
    code = "ban_not_found"
    message = _("There is no such ban; check its id.")


class MixNotFound(NotFound):
    code = "mix_not_found"
    message = _("There is no such mix, or it is over; check its id.")


class MixInputsMissing(DomainError):
    code, http_status = "mix_inputs_missing", 409
    message = _("The streams that are named are not in the conference; leave them out.")


class MixLayoutInvalid(BadParameters):
    code = "mix_layout_invalid"
    message = _("The mix cannot look like this; correct what is named.")


class MixLimitReached(DomainError):
    code, http_status = "mix_limit_reached", 429
    message = _("As many mixes as may are running; stop one first.")


class RecordingNotFound(NotFound):
    code = "recording_not_found"
    message = _("There is no such recording; check its id.")


class RecordingOff(DomainError):
    code, http_status = "recording_off", 409
    message = _("The conference is not being recorded; start the recording first.")


class RecordingUnfinished(DomainError):
    code, http_status = "recording_unfinished", 409
    message = _("The recording is not finished; wait until it is ready or has failed.")


class RecordingNotFailed(DomainError):
    code, http_status = "recording_not_failed", 409
    message = _("The recording has not failed; there is nothing to try again.")


class RecordingHeld(DomainError):
    code, http_status = "recording_held", 409
    message = _("The recording is under legal hold; release it first.")


class RecordingQuotaReached(DomainError):
    code, http_status = "recording_quota_reached", 429
    message = _("The application's recordings take all the space that they may; delete some first.")


class RecordingDiskFull(DomainError):
    code, http_status = "recording_disk_full", 507
    message = _("There is too little space left for recordings; ask the operator.")


class RecordingFolderAway(DomainError):
    code, http_status = "recording_folder_away", 503
    message = _("The folder for recordings cannot be used; ask the operator.")


class RecordingLinkInvalid(DomainError):
    code, http_status = "recording_link_invalid", 403
    message = _("The link is not one of ours; ask for a new one.")


class RecordingLinkExpired(DomainError):
    code, http_status = "recording_link_expired", 410
    message = _("The link has expired; ask for a new one.")


class OperationUnsupported(DomainError):
    code, http_status = "operation_unsupported", 501
    message = _("Confr does not offer this operation.")
