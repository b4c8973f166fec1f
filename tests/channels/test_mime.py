"""Mail as programs really write it, from tests/channels/mails: what is read of each."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.mime import Attachment, DeliveryReport, ParsedMail, Quarantined, parse_mail

MAILS = Path(__file__).with_name("mails")
PATIENCE = 60.0  # seconds for what is read in a child, so that a busy machine changes no result


def read(name: str) -> ParsedMail:
    mail = parse_mail((MAILS / f"{name}.eml").read_bytes(), seconds=PATIENCE)
    assert isinstance(mail, ParsedMail), mail
    return mail


def addresses(name: str) -> list[tuple[str, str]]:
    return [(sender.name, sender.address) for sender in read(name).senders]


def test_every_part_of_an_ordinary_mail_is_read() -> None:
    mail = read("gmail_reply_en")
    assert mail.message_id == "m2.7f3a@mail.example.com"
    assert mail.in_reply_to == ("ob.1111@support.example.org",)
    assert mail.references == ("m0.1@mail.example.com", "ob.1111@support.example.org")
    assert [sender.address for sender in mail.senders] == ["ana@example.com"]
    assert [(person.name, person.address) for person in mail.to] == [("Support", "support@example.org")]
    assert mail.sent_at == datetime(2026, 1, 12, 8, 30, tzinfo=UTC)
    assert mail.subject == "Re: Your request"
    assert mail.text.endswith("> Kind regards\n> Support")
    assert dict(mail.headers)["authentication-results"].startswith("mx.google.com; dkim=pass")
    assert mail.headers[0][0] == "return-path"


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("gmail_reply_en", "That did not help, it still stops."),
        ("gmail_reply_de_html_only", "Das hat leider nicht geholfen."),
        ("gmail_reply_pl_html_only", "Nadal nie działa."),
        ("outlook_web_fr_html_only", "Toujours la même erreur."),
        ("outlook_desktop_en_html_only", "Still the same error."),
        ("apple_reply_en", "Still broken."),
        ("yahoo_reply_html_only", "Same problem here."),
        ("bottom_posted", "Firefox 140."),
        ("long_reply_chain", "Newest words."),
    ],
)
def test_answer_is_told_from_the_mail_it_quotes_and_nothing_is_lost(name: str, new: str) -> None:
    mail = read(name)
    assert mail.new_text.strip() == new
    assert len(mail.text) > len(new)
    assert not mail.is_forwarded


@pytest.mark.parametrize("name", ["gmail_forward", "yahoo_forward_html_only", "forward_as_attachment"])
def test_forwarded_mail_is_kept_and_said_to_be_forwarded(name: str) -> None:
    mail = read(name)
    kept = mail.new_text + "".join(file.text or "" for file in mail.attachments)
    assert mail.is_forwarded
    assert "Please pay 10 EUR." in kept


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("apple_photo_between_texts", "Before the picture.\n\nAfter the picture."),
        ("html_placeholder_plain", "The real text is in here."),
        ("html_huge_css", "Only this is text."),
        ("html_table", "My orders:\n\nOrder\tPrice\n4711\t10 EUR\n\n1. First\n2. Second"),
        ("html_hidden_text", "Visible words.\n\nWhite on blue is seen.\n\nZerowidth and tags."),
        ("newsletter", "Ten offers for you"),
        ("base64_broken", "Hello there, this is broken"),
        ("nul_in_body", "Hello there"),
        ("boundary_never_closed", "Still readable."),
        ("boundary_missing", "Just text."),
        ("signed_pgp", "Signed words."),
        ("cr_only", "Old line ends.\nSecond line."),
        ("mbox_line_and_lf", "Out of an archive."),
        ("emoji_and_persian", "👩‍👩‍👧 می‌خواهم ❤️"),
        ("empty_body", ""),
        ("image_only", ""),
    ],
)
def test_text_is_what_a_reader_sees(name: str, text: str) -> None:
    assert read(name).text == text


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gb2312", "您好，导出功能不能用，價格“€5”"),
        ("iso_2022_jp", "エクスポートができません。"),
        ("shift_jis", "エクスポート①ができません"),
        ("ks_c", "내보내기가 작동하지 않습니다 똠방"),
        ("koi8", "Экспорт не работает"),
        ("unknown", "Grüße aus Köln"),
        ("windows_1252_called_latin1", "“Price” is 5 €"),
        ("none_8bit", "Grüße aus Köln"),
        ("utf7", "+ADw-script+AD4-"),
    ],
)
def test_charset_is_read_as_its_senders_mean_it(charset: str, text: str) -> None:
    mail = read(f"charset_{charset}")
    assert mail.text == text
    assert "�" not in mail.subject


def test_lines_broken_by_the_program_are_whole_again_and_quotes_stay_quotes() -> None:
    text = read("thunderbird_flowed").text
    assert text.startswith("This is a long line that was broken by the program and goes on here.\n")
    assert "\n> Please try again, as this is only one sentence.\n" in text


@pytest.mark.parametrize(
    ("name", "senders"),
    [
        ("from_group", [("", "ana@example.com"), ("Bob, the second", "bob@example.com")]),
        ("from_twice", [("Victim", "victim@example.com"), ("Ana Lopez", "ana@example.com")]),
        ("from_two_addresses", [("", "victim@example.com"), ("Eve", "eve@example.net")]),
        ("from_encoded_trap", [("Ana <victim@example.com>,", "eve@example.net")]),
        ("no_from_date_or_id", []),
    ],
)
def test_nobody_but_the_named_senders_is_the_sender(name: str, senders: list[tuple[str, str]]) -> None:
    assert addresses(name) == senders


def test_missing_headers_are_empty_not_an_error() -> None:
    mail = read("no_from_date_or_id")
    assert (mail.message_id, mail.sent_at, mail.in_reply_to, mail.references) == (None, None, (), ())
    assert read("no_subject").subject == ""
    assert read("year_99999").sent_at is None
    assert [person.address for person in read("reply_to_stranger").reply_to] == ["eve@example.net"]


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("bounce_gmail", ("5.1.1", "nobody@example.com", True)),
        ("bounce_postfix", ("5.2.2", "full@example.com", True)),
        ("bounce_exchange_broken_addresses", ("5.7.1", "nobody@example.com", True)),
        ("bounce_exim_plain", ("5.1.1", "nobody@example.com", True)),
        ("bounce_qmail_plain", ("5.1.1", "nobody@example.com", True)),
        ("bounce_two_recipients", ("5.1.1", "nobody@example.com", True)),
        ("delay_notice", ("4.4.1", "slow@example.com", True)),
    ],
)
def test_bounce_names_the_reason_the_recipient_and_our_mail(name: str, report: tuple[str, str, bool]) -> None:
    status, recipient, is_known = report
    about = "ob.2222@support.example.org" if is_known else None
    assert read(name).report == DeliveryReport(status, recipient, about)


@pytest.mark.parametrize("path", sorted(MAILS.glob("*.eml")), ids=lambda path: path.stem)
def test_only_bounces_are_delivery_reports(path: Path) -> None:
    mail = parse_mail(path.read_bytes(), seconds=PATIENCE)
    is_bounce = path.stem.startswith(("bounce_", "delay_"))
    assert is_bounce == (isinstance(mail, ParsedMail) and mail.report is not None)


def test_files_are_listed_by_what_they_are_and_stay_packed() -> None:
    assert read("zip_attached").attachments == (Attachment("not_a_picture.png", "application/zip", 56, False, None),)
    [docx] = read("docx_attached").attachments
    assert docx.type.endswith("wordprocessingml.document")
    assert read("outlook_winmail_dat").attachments[0].type == "application/vnd.ms-tnef"
    assert read("image_only").attachments == (Attachment("screen.png", "image/png", 70, True, None),)


def test_text_of_files_can_be_read() -> None:
    log, prices = read("text_attached").attachments
    assert (log.name, log.text) == ("app.log", "error 42 at startup — Grüße")
    assert (prices.type, prices.text) == ("text/csv", "name;price\nboard;10")
    [invoice] = read("pdf_attached").attachments
    assert (invoice.type, invoice.text) == ("application/pdf", "Invoice 4711 of 12 January")
    assert read("pdf_broken").attachments[0].text is None


def test_file_names_are_decoded_and_have_no_path() -> None:
    names = [file.name for file in read("names_encoded").attachments]
    assert names == ["Größe der Datei.png", "Rechnung März.png", "passwd.png"]


def test_what_no_customer_writes_is_quarantined_with_a_reason() -> None:
    found = parse_mail((MAILS / "nested_21.eml").read_bytes())
    assert found == Quarantined("parts are nested more than 20 deep")
    assert isinstance(parse_mail(b""), Quarantined)
