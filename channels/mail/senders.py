"""Who wrote a mail: a customer, a machine, we ourselves; and how sure that is."""

import re
from dataclasses import dataclass
from typing import Literal

from channels.mail.fields import list_values
from channels.mail.parsed import Address, ParsedMail
from channels.mail.robots import find_bounce, find_robot
from channels.mail.threads import LOOP_HEADER, read_token
from channels.mail.trust import is_domain_proven

MAX_TEXT = 400  # characters of a name or a header that are searched for addresses
ADDRESS = re.compile(r"[^\s@<>(),;:\\\"]+@[^\s@<>(),;:\\\"]+")
VIA = re.compile(r"'?(.+?)'?\s+(?:via|über|par|mediante|através de|tramite)\s.*", re.IGNORECASE)
"""A name as groups and forwarders rewrite it: 'Ana Bell' via Support."""

Kind = Literal["customer", "robot", "bounce", "own"]
Trust = Literal[0, 1]


@dataclass(frozen=True, slots=True)
class OwnMail:
    """What is ours, all in lower case."""

    addresses: frozenset[str]
    """The mailbox and its aliases."""
    receivers: frozenset[str]
    """The authserv-ids whose Authentication-Results are believed, such as mx.google.com."""
    lists: frozenset[str]
    """List-Ids of our own groups, without < >: a support@ that is a Google Group says nothing about who writes."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a mail is, before anybody reads it."""

    kind: Kind
    why: str
    """One line for the team: the sign that decided, without any of the sender's text."""
    sender: Address | None
    """Who really writes, and the only address that may be answered; None where From does not name exactly one."""
    trust: Trust
    """0 claimed; 1 when our receiver found that the domain of `sender` stands behind the mail."""
    is_reply_to_elsewhere: bool
    """Reply-To names a stranger besides `sender`: nothing but public knowledge may be written in answer."""


def judge_mail(mail: ParsedMail, own: OwnMail) -> Judgement:
    """What a mail is and who wrote it. Never raises."""
    sender = find_sender(mail, own)
    kind, why = find_kind(mail, sender, own)
    return Judgement(kind, why, sender, find_trust(mail, sender, own), is_elsewhere(mail, sender, own))


def find_kind(mail: ParsedMail, sender: Address | None, own: OwnMail) -> tuple[Kind, str]:
    if bounce := find_bounce(mail):
        return "bounce", bounce
    if sign := find_own_sign(mail, sender, own):
        return "own", sign
    if sign := find_robot(mail, [sender] if sender else list(mail.senders), own.lists):
        return "robot", sign
    return "customer", "No sign of a machine" if sender else "From does not name exactly one sender"


def find_own_sign(mail: ParsedMail, sender: Address | None, own: OwnMail) -> str | None:
    """The sign that we wrote a mail: it came back, or it is a copy."""
    domains = {address.rpartition("@")[2] for address in own.addresses}
    if any(read_token(mail.message_id or "", domain) for domain in domains):
        return "Message-ID of ours"
    marks = list_values(mail, LOOP_HEADER.lower())
    if any(is_ours(found.lower(), own) for mark in marks for found in ADDRESS.findall(mark[:MAX_TEXT])):
        return LOOP_HEADER
    writers = [sender] if sender else mail.senders
    return "From an address of ours" if writers and all(is_ours(one.address, own) for one in writers) else None


def is_ours(address: str, own: OwnMail) -> bool:
    """Whether it is the mailbox, an alias, one of these with a +tag, or the address of a group of ours."""
    local, _, domain = address.rpartition("@")
    plain = f"{local.partition('+')[0]}@{domain}"
    return not own.addresses.isdisjoint({address, plain}) or f"{local}.{domain}" in own.lists


def find_sender(mail: ParsedMail, own: OwnMail) -> Address | None:
    """Who really writes.

    Where From is an address of ours although somebody else wrote (a group rewrote it, or the form on our web site sent
    it), the person stands in X-Original-Sender or Reply-To. Elsewhere these prove and change nothing.
    """
    if len(mail.senders) != 1 or len(list_values(mail, "from")) > 1:
        return None
    [sender] = mail.senders
    if not is_ours(sender.address, own):
        return Address("", sender.address) if is_misleading(sender) else sender
    return find_original(mail, sender, own) or sender


def is_misleading(sender: Address) -> bool:
    """Whether the name is another address: "ceo@victim.example" <attacker@evil.example>."""
    return any(found.lower() != sender.address for found in ADDRESS.findall(sender.name[:MAX_TEXT]))


def find_original(mail: ParsedMail, rewritten: Address, own: OwnMail) -> Address | None:
    """The person behind an address of ours."""
    via = VIA.fullmatch(rewritten.name[:200])
    noted = [ADDRESS.search(value[:MAX_TEXT]) for value in list_values(mail, "x-original-sender")]
    named = [Address(via.group(1) if via else "", found.group().lower()) for found in noted if found]
    for candidates in (named, list(mail.reply_to)):
        strangers = [one for one in candidates if not is_ours(one.address, own)]
        if len(strangers) == 1:
            return Address("", strangers[0].address) if is_misleading(strangers[0]) else strangers[0]
    return None


def find_trust(mail: ParsedMail, sender: Address | None, own: OwnMail) -> Trust:
    """0 for a sender that does not stand in From: what receivers prove is From and nothing else."""
    if sender is None or sender.address != mail.senders[0].address or "@" not in sender.address:
        return 0
    return 1 if is_domain_proven(mail, sender.address.rpartition("@")[2], own.receivers) else 0


def is_elsewhere(mail: ParsedMail, sender: Address | None, own: OwnMail) -> bool:
    expected = {sender.address} if sender else set()
    return any(one.address not in expected and not is_ours(one.address, own) for one in mail.reply_to)
