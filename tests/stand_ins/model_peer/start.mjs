// Serves aimock on a free port of this machine: node start.mjs FIXTURES, which are those of its addFixtures as JSON. Beside
// match and response one may say "holds": it is for conversations with this text in any of their messages. (aimock's own
// matchers read the last message of a kind, which may be a word of ours between two steps.)
// Says {"port": N} once it listens. Each line on standard input is an order in JSON, answered with one line:
// "journal": every request so far, as it came; {"chaos": {...}}: faults from now on, as its setChaos takes them;
// "reset": no faults, an empty journal, every fixture as new.
// Ends with its standard input, so it cannot outlive whoever started it.
import { subscribe } from "node:diagnostics_channel";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

process.env.AIMOCK_STRICT_TURN_INDEX = "1"; // else a fixture of another turn is served

// not its ES modules: they import a function that Debian 12's Node 18 lacks, and that is never called here
const { LLMock } = createRequire(import.meta.url)("@copilotkit/aimock");

const say = (words) => process.stdout.write(JSON.stringify(words) + "\n");

// aimock's own journal hides the key and rewrites what came over the Responses wire
let journal = [];
subscribe("http.server.request.start", ({ request }) => {
  const chunks = [];
  const push = request.push;
  request.push = (chunk) => {
    if (chunk) chunks.push(chunk);
    else journal.push(describe(request, Buffer.concat(chunks)));
    return push.call(request, chunk);
  };
});

function describe({ method, url, rawHeaders }, body) {
  const headers = rawHeaders.flatMap((name, at) => (at % 2 ? [] : [[name.toLowerCase(), rawHeaders[at + 1]]]));
  return { method, path: url, headers, body: body.toString() };
}

const holds = (text) => ({ messages }) => messages.some(({ content }) => typeof content === "string" && content.includes(text));
const fixtures = JSON.parse(process.argv[2]).map(({ holds: text, match, ...fixture }) => ({
  ...fixture,
  match: text ? { ...match, predicate: holds(text) } : match,
}));
const mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
mock.addFixtures(fixtures);
await mock.start();
say({ port: mock.port });

function obey(order) {
  if (order === "journal") return journal;
  if (order === "reset") {
    journal = [];
    mock.reset().clearChaos().addFixtures(fixtures);
  } else mock.setChaos(order.chaos);
  return {};
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => say(obey(JSON.parse(line))));
lines.on("close", () => process.exit(0));
