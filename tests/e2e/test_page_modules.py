"""The page's modules, run in a real browser against a static file server: no Palio needed."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import jsonpatch
import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.e2e.browser import launched, window
from tests.e2e.json_documents import container, expected, some_operation
from tests.e2e.static_files import served_files

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page() -> AsyncIterator[Page]:
    with served_files() as url:
        async with launched() as browser, window(browser) as page:
            await page.goto(f"{url}/favicon.svg")  # a document of this origin without the page's own scripts
            yield page


async def run(page: Page, body: str, argument: Any = None) -> Any:
    """Run `body` (an async function's) with `argument`; through JSON, so that every member name survives."""
    text = await page.evaluate(
        "async ([body, text]) => JSON.stringify(await (new Function('given', `return (async () => {${body}})()`))(JSON.parse(text))) ?? 'null'",
        [body, json.dumps(argument)],
    )
    return json.loads(text)


APPLY_ALL = """
    const {applyPatch, PatchError} = await import('/client/src/patch.js');
    return given.map(([before, patch]) => {
        const kept = JSON.stringify(before);
        let answer;
        try { answer = {document: applyPatch(before, patch)}; }
        catch (error) { if (!(error instanceof PatchError)) throw error; answer = {refused: true}; }
        if (JSON.stringify(before) !== kept) throw new Error('the given document was changed');
        return answer;
    });
"""


@pytest.mark.parametrize("seed", range(4))
async def test_patches_give_what_python_jsonpatch_gives(page: Page, seed: int) -> None:
    rng = random.Random(seed)
    cases = []
    for _ in range(600):
        before = now = container(rng)
        patch: list[dict[str, Any]] = []
        for _ in range(rng.randint(1, 4)):
            patch.append(some_operation(rng, now))
            answer = expected(before, patch)
            if "document" not in answer and rng.random() < 0.7:
                patch.pop()  # else most patches would fail somewhere
            elif isinstance(answer.get("document"), dict | list):
                now = answer["document"]
            else:
                break
        cases.append((before, patch))
    answers = await run(page, APPLY_ALL, cases)
    wanted = [expected(*case) for case in cases]
    for case, answer, want in zip(cases, answers, wanted, strict=True):
        assert answer == want, f"seed {seed}: {json.dumps(case)}"
    assert {"refused": True} in wanted  # both kinds were tried
    assert sum("document" in want for want in wanted) > 200


@pytest.mark.parametrize("seed", range(2))
async def test_patches_made_by_python_jsonpatch_lead_to_the_other_document(page: Page, seed: int) -> None:
    rng = random.Random(1000 + seed)
    pairs = [(container(rng), container(rng)) for _ in range(300)]
    cases = [
        (before, jsonpatch.make_patch(before, after).patch) for before, after in pairs if type(before) is type(after)
    ]
    answers = await run(page, APPLY_ALL, cases)
    wanted = [after for before, after in pairs if type(before) is type(after)]
    assert [answer.get("document") for answer in answers] == wanted
    assert len(cases) > 100


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "add", "path": "/list/-1", "value": 1},
        {"op": "add", "path": "/list/1e0", "value": 1},
        {"op": "add", "path": "/list/length", "value": 1},
        {"op": "add", "path": "list/0", "value": 1},
        {"op": "add", "path": "/list/0"},
        {"op": "add", "path": "/text/0", "value": 1},
        {"op": "add", "path": "/toString/x", "value": 1},
        {"op": "replace", "path": "/list/-", "value": 1},
        {"op": "replace", "path": "/toString", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "remove", "path": "/list/4"},
        {"op": "remove", "path": "/none"},
        {"op": "test", "path": "/text", "value": 0},
        {"op": "test", "path": "/yes", "value": 1},
        {"op": "test", "path": "/list", "value": [1, 2]},
        {"op": "move", "from": "/deep", "path": "/deep/a/b"},
        {"op": "move", "path": "/x"},
        {"op": "copy", "from": "/none", "path": "/x"},
        {"op": "add", "path": "/a~2b", "value": 1},
        {"op": "increment", "path": "/list/0", "value": 1},
        {"path": "/list/0"},
        None,
    ],
)
async def test_what_is_no_patch_is_refused_whole(page: Page, operation: Any) -> None:
    before = {"list": [1, 2, 3], "text": "abc", "yes": True, "deep": {"a": {}}}
    first = {"op": "add", "path": "/list/-", "value": 4}
    assert await run(page, APPLY_ALL, [[before, [first, operation]]]) == [{"refused": True}]


def ranks_by_counting(scores: list[float], ties: str) -> list[int]:
    """Each row by itself: how many rows, or how many different scores, come before its score."""
    ranks = []
    for index, score in enumerate(scores):
        before = scores[: scores.index(score)]
        ranks.append({"first": index + 1, "shared": len(before) + 1, "dense": len(set(before)) + 1}[ties])
    return ranks


@pytest.mark.parametrize("ties", ["first", "shared", "dense"])
async def test_ranks_follow_from_index_scores_and_ties(page: Page, ties: str) -> None:
    rng = random.Random(5)
    tables: list[list[float]] = [[], [3.5], [2, 2], [9.99, 9.99, 1, 1, 1, -4]]
    for _ in range(200):
        scores = [rng.randint(-3, 3) + rng.choice([0, 0.01, 0.1]) for _ in range(rng.randint(0, 20))]
        tables.append(sorted(scores, reverse=rng.random() < 0.5))
    answers = await run(
        page,
        """
        const {ranksOf} = await import('/client/src/ranks.js');
        return given[0].map((scores) => ranksOf(scores.map((score) => ({score})), given[1]));
        """,
        [tables, ties],
    )
    assert answers == [ranks_by_counting(table, ties) for table in tables]


async def test_ranks_examples_of_the_contract(page: Page) -> None:
    body = """
        const {ranksOf} = await import('/client/src/ranks.js');
        const rows = [{score: 5}, {score: 5}, {score: 4}];
        return ['first', 'shared', 'dense'].map((ties) => ranksOf(rows, ties));
    """
    assert await run(page, body) == [[1, 2, 3], [1, 1, 3], [1, 1, 2]]
    refused = await run(
        page,
        "const {ranksOf} = await import('/client/src/ranks.js'); try { ranksOf([], 'other') } catch (error) { return error.name }",
    )
    assert refused == "RangeError"


async def test_gaps_are_exact_to_the_hundredth(page: Page) -> None:
    gaps = await run(
        page,
        "const {gapToLeader} = await import('/ranks.js'); return given.map(([score, leader]) => gapToLeader(score, leader));",
        [[0.1, 0.3], [99999999.99, -99999999.99], [2801.2, 2800.1], [5, None]],
    )
    assert gaps == [0.2, 199999999.98, 1.1, None]


async def test_taking_updates_in_applies_ignores_or_asks_again(page: Page) -> None:
    body = """
        const {take} = await import('/client/src/live_rules.js');
        const fresh = () => ({epoch: 4, seq: 10, data: {n: 1}});
        const set = (n) => [{op: 'replace', path: '/n', value: n}];
        return [
            {type: 'update', epoch: 4, seq: 11, patch: set(2)},
            {type: 'update', epoch: 4, seq: 10, patch: set(2)},
            {type: 'update', epoch: 4, seq: 12, patch: set(2)},
            {type: 'update', epoch: 3, seq: 99, patch: set(2)},
            {type: 'update', epoch: 5, seq: 1, patch: set(2)},
            {type: 'update', epoch: 4, seq: 11, patch: [{op: 'remove', path: '/none'}]},
            {type: 'snapshot', epoch: 5, seq: 3, data: {n: 7}},
            {type: 'snapshot', epoch: 4, seq: 3, data: {n: 8}},
        ].map((message) => { const s = fresh(); return [take(s, message), s.epoch, s.seq, s.data.n]; });
    """
    assert await run(page, body) == [
        ["applied", 4, 11, 2],
        ["old", 4, 10, 1],
        ["gap", 4, 10, 1],
        ["old", 4, 10, 1],
        ["gap", 4, 10, 1],
        ["gap", 4, 10, 1],
        ["applied", 5, 3, 7],
        ["applied", 4, 3, 8],
    ]


async def test_backoff_grows_is_jittered_and_bounded(page: Page) -> None:
    body = """
        const {backoffMs, retryAfterMs} = await import('/client/src/live_rules.js');
        return [[0, 1, 2, 30].map((n) => [backoffMs(n, 0), backoffMs(n, 1)]),
                ['{"retry_after_ms": 1500}', 'draining retry_after_ms=20', 'bye', ''].map(retryAfterMs)];
    """
    assert await run(page, body) == [[[200, 400], [400, 800], [800, 1600], [7500, 15000]], [1500, 20, None, None]]


async def test_pages_are_refreshed_where_seen_and_list_each_item_once(page: Page) -> None:
    body = """
        const {Pages} = await import('/pages.js');
        let all = ['a', 'b', 'c', 'd', 'e'];
        const asked = [];
        const fetchPage = async (cursor) => {
            asked.push(cursor);
            const at = cursor === null ? 0 : all.indexOf(cursor) + 1; // a cursor names the last item before
            const items = all.slice(at, at + 2);
            return {items, next: at + 2 < all.length ? items.at(-1) : null};
        };
        const pages = new Pages(fetchPage, (item) => item);
        const told = [];
        const tell = () => told.push([pages.items.join(''), pages.hasMore]);
        await pages.more(); tell();
        await Promise.all([pages.more(), pages.more()]); tell();
        await pages.more(); tell();
        all = ['x', 'a', 'b', 'c', 'd', 'e'];
        asked.length = 0;
        await pages.refresh((items) => items.includes('a')); tell();
        all = ['x', 'a'];
        await pages.refresh((items) => items.includes('x')); tell();
        return {told, asked};
    """
    answer = await run(page, body)
    assert answer["told"] == [["ab", True], ["abcde", False], ["abcde", False], ["xabcde", False], ["xa", False]]
    assert answer["asked"] == [None, "a", "c", None]  # what moved was asked for as well; at last nothing is left below


async def test_a_failed_page_does_not_stop_the_next_try(page: Page) -> None:
    body = """
        const {Pages} = await import('/pages.js');
        let fails = true;
        const pages = new Pages(async () => { if (fails) throw new Error('no'); return {items: [1], next: null}; }, (item) => item);
        let told = null;
        await pages.more().catch((error) => { told = error.message; });
        fails = false;
        await pages.more();
        return [told, pages.items];
    """
    assert await run(page, body) == ["no", [1]]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("87.5", 87.5),
        (" -3,25 ", -3.25),
        ("−1", -1),
        ("0", 0),
        ("99999999.99", 99999999.99),
        ("1.234", None),
        ("100000000", None),
        ("1e3", None),
        ("", None),
        ("NaN", None),
        (".5", None),
    ],
)
async def test_typed_scores_are_what_the_contract_allows(page: Page, typed: str, read: float | None) -> None:
    body = "const {readScore} = await import('/score_form.js'); try { return readScore(given) } catch { return null }"
    assert await run(page, body, typed) == read


@pytest.mark.parametrize(
    ("display", "value", "shown"),
    [
        (None, 2814.5, "2,814.50"),
        ({"unit": "points", "decimals": 0}, 2814.5, "2,815"),
        ({"unit": "currency", "decimals": 2}, -12, "−12.00"),
        ({"unit": "time", "decimals": 0}, 2814, "46:54"),
        ({"unit": "time", "decimals": 0}, 59.99, "1:00"),
        ({"unit": "time", "decimals": 0}, 0, "0:00"),
        ({"unit": "time", "decimals": 2}, 62.5, "1:02.50"),
        ({"unit": "time", "decimals": 1}, 3729.95, "1:02:10.0"),
        ({"unit": "time", "decimals": 2}, 0.07, "0:00.07"),
        ({"unit": "time", "decimals": 2}, -1.1, "−0:01.10"),
        ({"unit": "time", "decimals": 0}, -0.1, "0:00"),
        ({"unit": "time", "decimals": 0}, None, "–"),
    ],
)
async def test_scores_are_shown_in_their_unit(page: Page, display: Any, value: float | None, shown: str) -> None:
    body = "const {score} = await import('/format.js'); return score(given[0], given[1]);"
    assert await run(page, body, [value, display]) == shown


@pytest.mark.parametrize(
    ("typed", "read"),
    [("46:54", 2814), ("1:02:09.5", 3729.5), ("1:2,05", 62.05), ("62.5", 62.5), ("1:60", None), ("1:2:3:4", None)],
)
async def test_times_may_be_typed_as_times(page: Page, typed: str, read: float | None) -> None:
    body = "const {readScore} = await import('/score_form.js'); try { return readScore(given, {unit: 'time'}) } catch { return null }"
    assert await run(page, body, typed) == read


async def test_outcomes_are_told_in_words(page: Page) -> None:
    answers = await run(
        page,
        "const {outcome} = await import('/format.js'); return given.map(outcome);",
        [
            {"outcome": "applied", "rank": 3, "previous_rank": 7, "score": 12.5},
            {"outcome": "applied", "rank": 21, "previous_rank": None, "score": -1234},
            {"outcome": "applied", "rank": 2, "previous_rank": 2, "score": 1},
            {"outcome": "applied", "rank": 12, "previous_rank": 11, "score": 1},
            {"outcome": "ignored", "reason": "not_joined"},
            {"outcome": "ignored", "reason": "some_new_reason"},
        ],
    )
    assert answers == [
        "Counted. You are 3rd with 12.50, up 4 places from 7th.",
        "Counted. You are 21st with −1,234.00.",
        "Counted. You are 2nd with 1.00, the same place as before.",
        "Counted. You are 12th with 1.00, down 1 place from 11th.",
        "Not counted: you have not joined this tournament.",
        "Not counted: some new reason.",
    ]


async def test_where_a_tournament_stands_in_its_time(page: Page) -> None:
    body = """
        const {phase} = await import('/countdown.js');
        const at = Date.parse('2026-05-01T09:30:00Z');
        const times = {starts_at: '2026-05-01T09:00:00.000Z', ends_at: '2026-05-01T10:00:00.000Z'};
        return [{status: 'running', ...times}, {status: 'running', ...times, ends_at: '2026-05-01T09:30:00.000Z'},
                {status: 'scheduled', starts_at: '2026-05-03T11:30:00.000Z'},
                {status: 'scheduled', starts_at: null, participants: 3, capacity: 4},
                {status: 'finished', ...times, ends_at: '2026-05-01T09:25:00.000Z'}, {status: 'cancelled', ...times}]
            .map((view) => { const {label, text, fraction} = phase(view, at); return [label, text, fraction]; });
    """
    assert await run(page, body) == [
        ["Time left", "30:00", 0.5],
        ["Time is up", "counting…", 1],
        ["Starts in", "2 d 02:00", None],
        ["Starts when full", "3 of 4", 0.75],
        ["Finished", "5 min ago", 1],
        ["Cancelled", "–", None],
    ]


async def test_a_pasted_token_names_the_player_or_says_what_is_wrong(page: Page) -> None:
    body = """
        const {playerFromToken} = await import('/player.js');
        const base64url = (text) => btoa(text).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_');
        const encode = (claims) => `e30.${base64url(JSON.stringify(claims))}.sig`;
        const good = [encode({sub: '42', exp: 4102444800}), `Bearer ${encode({sub: 7})}`];
        return [...good, encode({sub: 'x'}), encode({sub: '1', exp: 1}), 'a.b', 'a.%%%.c']
            .map((token) => { try { return playerFromToken(token).user_id; } catch (error) { return error.message; } });
    """
    assert await run(page, body) == [
        "42",
        "7",
        "The token names no user (`sub`).",
        "The token has expired.",
        "This is not a token: expected three parts with dots between them.",
        "This is not a token: its middle part cannot be read.",
    ]


async def test_names_keep_their_direction_of_writing_to_themselves(page: Page) -> None:
    name = "\u05d0\u05d1 \u202e"  # one that was taken before names were judged
    shown = await run(
        page,
        """
        document.createElement = (tag) => document.createElementNS('http://www.w3.org/1999/xhtml', tag);  // this one is an image
        const [{Card}, {podium}, {rankTable}] = await Promise.all(['card', 'board/podium', 'board/table'].map((m) => import(`/${m}.js`)));
        const row = {user_id: '7', name: given, score: 5, rank: 1};
        const card = new Card('1');
        card.show({name: given, status: 'running', ends_at: '2099-01-01T00:00:00.000Z', top: [row]});
        const table = rankTable({caption: 'x'});
        table.top.update([row]);
        const texts = (root) => [...root.querySelectorAll('bdi')].map((node) => node.textContent);
        const first = podium([row]);
        delete document.createElement;
        const {isolated} = await import('/format.js');
        return [isolated('a\\u2069b'), texts(card.element), card.leader.textContent, texts(first), texts(table.element)];
        """,
        name,
    )
    assert shown == ["\u2068ab\u2069", [name], "Led by \u2068\u05d0\u05d1 \u2069 \u00b7 5.00", [name], [name]]
