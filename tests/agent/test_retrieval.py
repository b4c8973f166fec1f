import pytest

from agent.indexing import import_article
from agent.retrieval import SearchQuery, SearchResult, search
from app.front_matter import parse_article
from app.knowledge_files import SAMPLE_COMPANY
from db.pool import Connection, Pool, acquire
from db.search import add_thresholds
from tests.agent.word_embedder import WordEmbedder, take_in

EMBEDDERS = pytest.mark.parametrize("embedder", [None, WordEmbedder()], ids=["words", "vectors"])


def list_slugs(result: SearchResult) -> list[str]:
    return [passage.slug for passage in result.passages]


async def take_in_company(pool: Pool, embedder: WordEmbedder | None = None) -> None:
    await take_in(pool, "refund-policy", "Paid back within 14 days.", embedder, title="Refund policy")
    await take_in(pool, "export", "1. Open the board.\n2. Choose **Export**.", embedder, title="Export a board to CSV")
    await take_in(pool, "limits", "Sixty requests per minute.", embedder, title="API rate limits", category="technical")
    await take_in(pool, "hours", "We answer on working days.", embedder, title="Support hours")


@EMBEDDERS
async def test_a_question_in_the_words_of_an_article_finds_it_and_tells_what_to_cite(
    pool: Pool, embedder: WordEmbedder | None
) -> None:
    await take_in_company(pool, embedder)
    found = await search(pool, embedder, SearchQuery("How do I export a board?"))
    best = found.passages[0]
    assert (best.slug, best.title, best.version, best.heading) == ("export", "Export a board to CSV", 1, "")
    assert best.text == "1. Open the board.\n2. Choose **Export**."
    assert 0 < best.lexical <= 1
    assert 0 < best.score <= 1
    assert found.sureness is not None
    assert found.sureness.mode == (embedder.name if embedder else "text")
    assert "board" in best.why


async def test_one_known_word_among_many_unknown_ones_is_enough(pool: Pool) -> None:
    await take_in_company(pool)
    assert list_slugs(await search(pool, None, SearchQuery("Hello, ahem, something with csv or so")))[0] == "export"


async def test_a_word_in_the_title_outweighs_the_same_word_in_the_text(pool: Pool) -> None:
    await take_in(pool, "aside", "An invoice is mentioned here once among other words.", title="Boards")
    await take_in(pool, "invoices", "Open the page and press the button named there twice.", title="Invoice")
    assert list_slugs(await search(pool, None, SearchQuery("invoice"))) == ["invoices", "aside"]


async def test_meaning_finds_what_shares_no_word(pool: Pool) -> None:
    embedder = WordEmbedder()
    await take_in_company(pool, embedder)
    assert list_slugs(await search(pool, embedder, SearchQuery("cash")))[0] == "refund-policy"


async def test_a_synonym_finds_the_article_without_vectors(pool: Pool) -> None:
    await take_in(pool, "prices", "Five dollars.", title="Prices")
    await take_in(pool, "boards", "They hold tasks.", title="Boards")
    assert list_slugs(await search(pool, None, SearchQuery("What does it cost?")))[0] == "prices"


@EMBEDDERS
async def test_a_question_wording_of_the_author_is_found(pool: Pool, embedder: WordEmbedder | None) -> None:
    await take_in_company(pool, embedder)
    await take_in(pool, "sso", "Ask your owner.", embedder, title="Single sign-on", questions='["Can we use Okta?"]')
    assert list_slugs(await search(pool, embedder, SearchQuery("is okta possible")))[0] == "sso"


@EMBEDDERS
async def test_internal_superseded_replaced_and_retired_articles_are_never_found(
    pool: Pool, conn: Connection, embedder: WordEmbedder | None
) -> None:
    await take_in(pool, "secret", "Price offers for leavers.", embedder, visibility="internal")
    await take_in(pool, "old", "Price of last year.", embedder)
    await take_in(pool, "new", "Price of this year.", embedder, supersedes="old")
    await take_in(pool, "new", "Price of now.", embedder, supersedes="old")
    await take_in(pool, "gone", "Price nobody pays.", embedder)
    await take_in(pool, "hidden", "Price for friends.", embedder)
    await conn.execute("update knowledge_base set state = 'retired' where slug = 'gone'")
    await conn.execute("update knowledge_base set visibility = 'internal' where slug = 'hidden'")
    found = await search(pool, embedder, SearchQuery("price", limit=20))
    assert [passage.text for passage in found.passages] == ["Price of now."]


async def take_in_variants(pool: Pool, embedder: WordEmbedder | None) -> None:
    for plan in ("free", "pro"):
        await take_in(pool, f"storage-{plan}", "Space for files.", embedder, title="Storage", plan=plan)
    await take_in(pool, "storage", "Space for files.", embedder, title="Storage")


@EMBEDDERS
async def test_the_variant_of_the_customers_plan_comes_first_and_those_of_others_never(
    pool: Pool, embedder: WordEmbedder | None
) -> None:
    await take_in_variants(pool, embedder)
    found = await search(pool, embedder, SearchQuery("storage space", plan="Pro"))
    assert list_slugs(found) == ["storage-pro", "storage"]
    assert found.passages[0].plan == "pro"


@EMBEDDERS
async def test_of_a_variant_only_the_newest_version_is_found(pool: Pool, embedder: WordEmbedder | None) -> None:
    await take_in_variants(pool, embedder)
    await take_in(pool, "storage-pro", "Space for more files.", embedder, title="Storage", plan="pro")
    found = await search(pool, embedder, SearchQuery("storage space", plan="pro", limit=20))
    assert (found.passages[0].slug, found.passages[0].version) == ("storage-pro", 2)
    assert [passage.version for passage in found.passages if passage.slug == "storage-pro"] == [2]


@EMBEDDERS
async def test_without_a_plan_a_variant_is_a_sure_answer_only_when_the_customer_names_the_plan(
    pool: Pool, embedder: WordEmbedder | None
) -> None:
    await take_in_company(pool, embedder)
    for plan, space in (("free", "Two gigabytes of room for all."), ("pro", "Space limit for storage of files.")):
        await take_in(pool, f"storage-{plan}", space, embedder, title=f"Storage on {plan}", plan=plan)
    asked = [await search(pool, embedder, SearchQuery(text)) for text in ("storage space limit", "storage on pro")]
    assert [found.passages[0].slug for found in asked] == ["storage-pro", "storage-pro"]
    assert [found.confidence for found in asked] == ["low", "high"]


@EMBEDDERS
async def test_without_a_plan_the_general_article_comes_first(pool: Pool, embedder: WordEmbedder | None) -> None:
    await take_in_variants(pool, embedder)
    assert list_slugs(await search(pool, embedder, SearchQuery("storage space")))[0] == "storage"


@EMBEDDERS
async def test_a_category_leaves_out_all_others(pool: Pool, embedder: WordEmbedder | None) -> None:
    await take_in_company(pool, embedder)
    found = await search(pool, embedder, SearchQuery("refund policy days limits", category="technical"))
    assert set(list_slugs(found)) == {"limits"}


@EMBEDDERS
async def test_a_short_follow_up_is_understood_from_the_turns_before(pool: Pool, embedder: WordEmbedder | None) -> None:
    await take_in(pool, "export-file", "Press the button.", embedder, title="Export boards on your computer")
    await take_in(pool, "phone", "Install the app.", embedder, title="Telephone app")
    await take_in(pool, "export-phone", "Press share.", embedder, title="Export boards on the telephone")
    found = await search(pool, embedder, SearchQuery("and on the telephone?", previous=("How do I export boards?",)))
    assert list_slugs(found)[0] == "export-phone"


@EMBEDDERS
async def test_a_new_subject_is_not_drowned_by_the_turns_before(pool: Pool, embedder: WordEmbedder | None) -> None:
    await take_in_company(pool, embedder)
    previous = ("How do I export a board to CSV?", "The export of the board fails")
    found = await search(pool, embedder, SearchQuery("What is your refund policy?", previous=previous))
    assert list_slugs(found)[0] == "refund-policy"


async def test_articles_in_other_languages_are_found_by_their_own_word_forms(pool: Pool) -> None:
    await take_in(pool, "rechnung", "Sie finden jede Rechnung unter Konto.", title="Rechnung laden", language="de")
    await take_in_company(pool)
    assert (
        list_slugs(await search(pool, None, SearchQuery("Wo sind meine Rechnungen?", language="de")))[0] == "rechnung"
    )


@pytest.mark.parametrize(
    ("text", "slug"),
    [("How do I exprot a bord?", "export"), ("the invoce", "invoices"), ("recieve webhoks", "webhooks")],
)
async def test_one_wrong_letter_in_a_word_nobody_wrote_does_not_matter(pool: Pool, text: str, slug: str) -> None:
    await take_in_company(pool)
    await take_in(pool, "invoices", "Under Billing.", title="Invoices")
    await take_in(pool, "webhooks", "We call your address.", title="Webhooks")
    best = (await search(pool, None, SearchQuery(text))).passages[0]
    assert best.slug == slug
    assert best.lexical > 0


async def test_other_words_than_the_authors_find_an_article_without_a_model(pool: Pool) -> None:
    await take_in_company(pool)
    await take_in(pool, "vendors", "Their address is kept.", title="Pay a vendor")
    assert list_slugs(await search(pool, None, SearchQuery("suppliers")))[0] == "vendors"


async def test_articles_taken_in_before_there_was_a_table_are_found_by_meaning_after_the_next_import(
    pool: Pool, conn: Connection
) -> None:
    await take_in(pool, "vendors", "Their address is kept.", title="Pay a vendor")
    await conn.execute("delete from passage_embeddings")
    await conn.execute("delete from embedding_models")
    await take_in(pool, "boards", "They hold tasks.", title="Boards")
    assert list_slugs(await search(pool, None, SearchQuery("suppliers")))[0] == "vendors"


async def test_a_common_word_asked_for_with_a_rare_one_still_tells_passages_apart(pool: Pool, conn: Connection) -> None:
    """More passages have the common word than are looked at one by one."""
    await take_in(pool, "both", "Refund of an invoice.", title="Alpha")
    await take_in(pool, "rare", "Only an invoice here.", title="Beta")
    await conn.execute(
        """
        with made as (
          insert into knowledge_base (slug, version, title, body, content_hash, passages, words)
          select 'filler-' || n, 1, 'Filler', 'Refund', n, 1, 4 from generate_series(1, 6500) n returning id),
        parts as (
          insert into passages (article_id, ordinal, heading, text, content_hash, length)
          select id, 0, '', 'Refund', id, 4 from made returning id, article_id)
        insert into passage_terms (lexeme, passage_id, article_id, tf, length)
        select 'refund', id, article_id, 1, 4 from parts
        """
    )
    assert list_slugs(await search(pool, None, SearchQuery("refund invoice", limit=2))) == ["both", "rare"]


async def test_words_without_spaces_between_them_are_found(pool: Pool) -> None:
    await take_in(pool, "invoice-ja", "請求書は設定から取得できます。", title="請求書のダウンロード", language="ja")
    await take_in_company(pool)
    assert list_slugs(await search(pool, None, SearchQuery("請求書はどこですか", language="ja")))[0] == "invoice-ja"


async def test_of_one_article_at_most_two_passages_are_shown(pool: Pool) -> None:
    section = "Refund words. " * 25
    await take_in(pool, "long", "\n\n".join(f"## Refund {number}\n{section}" for number in range(6)))
    await take_in(pool, "other", "One refund.")
    assert sorted(list_slugs(await search(pool, None, SearchQuery("refund")))) == ["long", "long", "other"]


async def test_when_the_embedder_fails_the_words_alone_are_searched(pool: Pool) -> None:
    embedder = WordEmbedder()
    await take_in_company(pool, embedder)
    embedder.is_down = True
    found = await search(pool, embedder, SearchQuery("export board"))
    assert found.sureness is not None
    assert (found.passages[0].slug, found.sureness.mode) == ("export", "text")


async def test_an_article_not_yet_indexed_is_found_by_its_words_beside_indexed_ones(pool: Pool) -> None:
    embedder = WordEmbedder()
    await take_in_company(pool, embedder)
    await take_in(pool, "webhooks", "We call your address.", title="Webhooks")
    best = (await search(pool, embedder, SearchQuery("webhooks"))).passages[0]
    assert (best.slug, best.semantic) == ("webhooks", None)


@pytest.mark.parametrize("text", ["", "   ", "\x00", "the of and", "'; drop table passages; --", "🤷", "%&|!:*()"])
@EMBEDDERS
async def test_empty_and_odd_questions_are_searched_without_error(
    pool: Pool, embedder: WordEmbedder | None, text: str
) -> None:
    await take_in_company(pool, embedder)
    found = await search(pool, embedder, SearchQuery(text, previous=("\x00",)))
    assert found.confidence == "none" or text.startswith("'")


async def test_an_empty_knowledge_base_finds_nothing(pool: Pool) -> None:
    assert await search(pool, WordEmbedder(), SearchQuery("refund")) == SearchResult((), "none")


@pytest.mark.parametrize(("high", "low", "confidence"), [(0.1, 0.05, "high"), (9.0, 0.05, "low"), (0.1, 2.0, "none")])
async def test_confidence_follows_the_measured_thresholds(
    pool: Pool, conn: Connection, high: float, low: float, confidence: str
) -> None:
    await take_in_company(pool)
    await add_thresholds(conn, "text", high, low, 50)
    assert (await search(pool, None, SearchQuery("refund policy"))).confidence == confidence


async def test_two_articles_equally_near_are_never_a_sure_answer(pool: Pool) -> None:
    await take_in_company(pool)
    for slug in ("one", "two"):
        await take_in(pool, slug, "Where the webhooks are.", title="Webhooks")
    assert (await search(pool, None, SearchQuery("webhooks"))).confidence == "low"
    assert (await search(pool, None, SearchQuery("refund policy"))).confidence == "high"


async def test_what_an_article_is_asked_by_its_title_is_answered_by_its_opening(pool: Pool) -> None:
    for path in sorted(SAMPLE_COMPANY.glob("*.md")):
        async with acquire(pool) as conn:
            await import_article(conn, parse_article(path.read_text(encoding="utf-8"), path.stem))
    asked = {
        "How do I reset my password?": "",
        "I am locked out after wrong tries": "Locked out after wrong tries",
    }
    for question, heading in asked.items():
        found = await search(pool, None, SearchQuery(question))
        assert (found.passages[0].slug, found.passages[0].heading) == ("reset-password", heading)
