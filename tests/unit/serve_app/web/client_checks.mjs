// The TypeScript client without a Palio: what is tried again and when, and what goes together. Run by test_client.py with Node's own test runner.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { BufferFullError, NoAnswerError, NotPalioError, PalioClient, ProblemError, Submitter, ranksOf } from "../../../../serve_app/web/client/src/index.js";
import { Transport } from "../../../../serve_app/web/client/src/transport.js";

let url;
let answers = []; // of the next requests: [status, body, headers], or "hang up"; the last one stays
let asked = [];

const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    asked.push({ method: request.method, path: request.url, headers: request.headers, body });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === "hang up") return request.socket.destroy();
    const [status, said, headers = {}] = answer;
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(typeof said === "string" ? said : JSON.stringify(said));
  });
});

function told(...next) {
  answers = next;
  asked = [];
}

const problem = (status, code) => [status, { status, code, title: "T", detail: "D", errors: [{ path: "score", message: "M" }] }];

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test("what may pass is tried again, after Retry-After", async () => {
  told("hang up", problem(503, "log_unavailable"), [429, { code: "rate_limited" }, { "Retry-After": "1" }], [200, { good: true }]);
  const began = performance.now();
  assert.deepEqual(await new Transport().call(url, { method: "POST", body: { a: 1 } }), { status: 200, body: { good: true } });
  assert.equal(asked.length, 4);
  assert.ok(asked.every(({ body, headers }) => body === '{"a":1}' && headers["content-type"] === "application/json"));
  assert.ok(performance.now() - began >= 1000);
});

test("a refusal is not, and says why", async () => {
  told(problem(422, "invalid"));
  const error = await new Transport().call(url).catch((caught) => caught);
  assert.ok(error instanceof ProblemError);
  assert.deepEqual([error.status, error.code, error.errors, error.repeated], [422, "invalid", [{ path: "score", message: "M" }], false]);
  assert.equal(error.text, "T: D (score: M) [invalid]");
  told([404, "<html>"]);
  await assert.rejects(new Transport().call(url), NotPalioError);
  assert.equal(asked.length, 1);
});

test("it gives up in the end, and tells the last trouble", async () => {
  told(problem(503, "draining"));
  const error = await new Transport({ retryForMs: 300 }).call(url).catch((caught) => caught);
  assert.ok(error instanceof NoAnswerError);
  assert.equal(error.cause.code, "draining");
  assert.ok(asked.length > 1);
  told(problem(503, "draining"));
  await assert.rejects(new Transport({ retryForMs: 0 }).call(url), ProblemError); // one try: its trouble
  assert.equal(asked.length, 1);
  told("hang up");
  await assert.rejects(new Transport({ retryForMs: 0 }).call(url), NoAnswerError);
});

test("a token that has expired is followed by the next, once", async () => {
  const tokens = ["old", "new", "newer"];
  told(problem(401, "token_expired"), [200, {}]);
  await new Transport({ token: async () => tokens.shift() }).call(url);
  assert.deepEqual(asked.map(({ headers }) => headers.authorization), ["Bearer old", "Bearer new"]);
  told(problem(401, "token_expired"));
  await assert.rejects(new Transport({ token: () => "old" }).call(url), ProblemError);
  assert.equal(asked.length, 2);
  told(problem(401, "token_expired"));
  await assert.rejects(new Transport({ token: "old" }).call(url), ProblemError);
  assert.equal(asked.length, 1);
});

test("a call can be given up", async () => {
  told(problem(503, "draining"));
  const signal = AbortSignal.timeout(200);
  await assert.rejects(new Transport().call(url, { signal }), { name: "TimeoutError" });
});

test("a create is asked for until it is decided, by one key", async () => {
  told([200, { gateway: url }], [202, { offset: null }], [201, { id: "7" }]);
  const palio = new PalioClient(`${url}/`);
  assert.equal((await palio.gateway()).gateway, url);
  assert.deepEqual(await palio.create({ name: "N", type: "instant" }), { id: "7" });
  const keys = asked.slice(1).map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
});

test("a command whose answer was lost is no conflict where it was carried out", async () => {
  told("hang up", problem(409, "not_running"), [200, { id: "7", status: "finished", version: 3 }]);
  assert.deepEqual(await new PalioClient(url).end("7"), { id: "7", status: "finished", version: 3 });
  told(problem(409, "not_running"));
  await assert.rejects(new PalioClient(url).end("7"), { code: "not_running" });
});

test("a score has one event id however often it is sent", async () => {
  told([200, { gateway: url }], "hang up", [202, { event_id: "x" }]);
  await new PalioClient(url).submit("7", { score: 5 });
  const ids = asked.slice(1).map(({ body }) => JSON.parse(body).event_id);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
});

test("many go 1,000 a call, in order; rejected ones by their place among all", async () => {
  told([200, { gateway: url }], [202, { accepted: 999, rejected: [{ index: 3, code: "invalid" }] }], [202, { accepted: 499, rejected: [{ index: 1, code: "invalid" }] }]);
  const scores = Array.from({ length: 1500 }, (_, n) => ({ tournament_id: "7", user_id: "1", event_id: `e${n}`, score: n }));
  const answer = await new PalioClient(url).submitAll(scores);
  assert.deepEqual(answer, { accepted: 1498, rejected: [{ index: 3, code: "invalid" }, { index: 1001, code: "invalid" }] });
  const lines = asked.slice(1).map(({ body }) => body.split("\n").map((line) => JSON.parse(line)));
  assert.deepEqual(lines.map(({ length }) => length), [1000, 500]);
  assert.deepEqual(lines.flat(), scores);
  assert.equal(asked[1].headers["content-type"], "application/x-ndjson");
});

test("what is long goes in more calls", async () => {
  told([200, { gateway: url }], [202, { accepted: 1, rejected: [] }]);
  const long = "é".repeat(100_000);
  await new PalioClient(url).joinAll([1, 2, 3, 4].map((user) => ({ tournament_id: "7", user_id: `${user}`, name: long })));
  assert.deepEqual(asked.slice(1).map(({ body }) => body.split("\n").length), [2, 2]);
});

test("a submitter gathers, keeps the order and its bound, and tells what was rejected", async () => {
  const sent = [];
  const rejected = [];
  const submitter = new Submitter(
    async (batch) => {
      sent.push(batch.map(({ event_id }) => event_id));
      return { accepted: batch.length - 1, rejected: [{ index: 0, code: "invalid" }] };
    },
    { maxWaiting: 3, lingerMs: 20, onRejected: ({ event_id }, code) => rejected.push([event_id, code]) },
  );
  for (const event_id of "abcdefg") {
    assert.ok(submitter.waiting <= 3);
    await submitter.put({ tournament_id: "7", user_id: "1", event_id, score: 1 });
  }
  await submitter.flush();
  assert.equal(sent.flat().join(""), "abcdefg");
  assert.ok(sent.length >= 3);
  assert.deepEqual(rejected.map(([id]) => id), sent.map(([first]) => first));
  assert.deepEqual([submitter.accepted, submitter.rejected, submitter.waiting], [7 - sent.length, sent.length, 0]);
});

test("a full submitter may raise; one that failed says so to all", async () => {
  const broken = new Submitter(() => Promise.reject(new NoAnswerError("away")), { maxWaiting: 2, onFull: "raise" });
  const score = { tournament_id: "7", user_id: "1", event_id: "a", score: 1 };
  await broken.put(score);
  await broken.put(score);
  await assert.rejects(broken.put(score), BufferFullError);
  await assert.rejects(broken.flush(), NoAnswerError);
  await assert.rejects(broken.put(score), NoAnswerError);
});

test("ranks follow from the scores", () => {
  const rows = [9, 9, 8, 8, 7].map((score) => ({ score }));
  assert.deepEqual(ranksOf(rows, "first"), [1, 2, 3, 4, 5]);
  assert.deepEqual(ranksOf(rows, "shared"), [1, 1, 3, 3, 5]);
  assert.deepEqual(ranksOf(rows, "dense"), [1, 1, 2, 2, 3]);
});
