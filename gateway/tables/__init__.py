"""The tables. No queries live here.

Times are whole seconds since 1970 UTC (`Moment`); days are the site's calendar days (Asia/Ho_Chi_Minh).
Texts are NFC. Enumerations are short texts with a CHECK-free vocabulary kept by `rules.lifecycle`.
"""

from gateway.tables.chat import CannedAnswer, ChatMessage, Conversation
from gateway.tables.columns import NAMES, BigId, Json, Moment, Table
from gateway.tables.people import Audit, Staff
from gateway.tables.places import Applicant, Counter, CounterService, Registration, Service, Shift, Site
from gateway.tables.programs import ApiKey, Hook, HookEvent, Kiosk, KioskEvent, Press
from gateway.tables.sending import (
    Alert,
    Attempt,
    Breaker,
    Lane,
    ModemState,
    Notice,
    Receipt,
    SmsPart,
    SmsText,
    Suppression,
    Workplace,
)
from gateway.tables.tickets import Event, SeriesDay, SiteDay, Ticket
from gateway.tables.zalo import (
    Broadcast,
    Fact,
    ZaloConsent,
    ZaloLink,
    ZaloQuota,
    ZaloTag,
    ZaloTemplate,
    ZaloToken,
    ZaloUser,
)

__all__ = [
    "NAMES", "Alert", "ApiKey", "Applicant", "Attempt", "Audit", "BigId", "Breaker", "Broadcast",
    "CannedAnswer", "ChatMessage", "Conversation", "Counter", "CounterService", "Event", "Fact", "Hook",
    "HookEvent", "Json", "Kiosk", "KioskEvent", "Lane", "ModemState", "Moment", "Notice", "Press", "Receipt",
    "Registration", "SeriesDay", "Service", "Shift", "Site", "SiteDay", "SmsPart", "SmsText", "Staff",
    "Suppression", "Table", "Ticket", "Workplace", "ZaloConsent", "ZaloLink", "ZaloQuota", "ZaloTag",
    "ZaloTemplate", "ZaloToken", "ZaloUser",
]  # fmt: skip
