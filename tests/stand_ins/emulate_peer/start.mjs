// Serves one of emulate's vendors on a free port of this machine: node start.mjs OPTIONS, which are those of its
// createEmulator as JSON: {"service": ..., "seed": ..., "baseUrl": ...}.
// Says {"port": N} once it listens. A line "reset" on standard input empties it, and is answered with {"reset": true}.
// Ends with its standard input, so it cannot outlive whoever started it.
import { webcrypto } from "node:crypto";
import { Server } from "node:net";
import { createInterface } from "node:readline";

globalThis.crypto ??= webcrypto; // Debian 12 has Node 18, where it is no global yet

const say = (words) => process.stdout.write(JSON.stringify(words) + "\n");

// emulate listens to every machine, on a port that must be chosen before
const listen = Server.prototype.listen;
Server.prototype.listen = function () {
  return listen.call(this, 0, "127.0.0.1", () => say({ port: this.address().port }));
};

const { createEmulator } = await import("emulate");
const emulator = await createEmulator(JSON.parse(process.argv[2]));

const lines = createInterface({ input: process.stdin });
lines.on("line", () => {
  emulator.reset();
  say({ reset: true });
});
lines.on("close", () => process.exit(0));
