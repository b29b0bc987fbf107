// Starts the real binary on a fresh data folder and speaks to its REST face.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export const EMAIL = "dev@example.com";
export const PASSWORD = "correct horse battery staple";
const START_MS = 20_000;
const STOP_MS = 10_000;
const UNTIL_MS = 20_000;

const target = process.env.CARGO_TARGET_DIR ?? new URL("../../target", import.meta.url).pathname;
const binary = process.env.TOKENIM_BIN ?? join(target, "debug", "tokenim");

/** Asks again until the answer is true. */
export async function until(what, probe, most = UNTIL_MS) {
  const end = Date.now() + most;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < end, `${what}: not within ${most} ms`);
    await pause(100);
  }
}

/** Runs the binary, or another program, to its end and returns the last line it printed. */
export function run(args, input, env = process.env, program = binary) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env });
    let out = "", err = "";
    child.stdout.on("data", (chunk) => { out += chunk; });
    child.stderr.on("data", (chunk) => { err += chunk; });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve(out.trim().split("\n").at(-1)) : reject(new Error(`${args[0]} ended with ${code}: ${err || out}`))));
    child.stdin.end(input);
  });
}

/** The variables of a server, to which this machine is a proxy: a database of its own where TIM_TEST_POSTGRES names a PostgreSQL server (scripts/postgres). */
async function environment() {
  const given = process.env.TIM_TEST_POSTGRES;
  const env = { ...process.env, TOKENIM_SERVER__TRUSTED_PROXIES: "127.0.0.1/32" };
  if (!given) return env;
  const name = `tim_${randomUUID().replaceAll("-", "")}`;
  await run(["-XqAt", "-c", `CREATE DATABASE ${name}`, given], "", process.env, "psql");
  return { ...env, TOKENIM_DATABASE__URL: given.replace(/\/[^/?]*\?/, `/${name}?`) };
}

export class Server {
  /** A running server with one org, app and account; `log` collects what it prints. */
  static async start() {
    const server = new Server();
    server.data = await mkdtemp(join(tmpdir(), "tokenim-browser-"));
    server.env = await environment();
    const bootstrap = ["admin", "bootstrap", "--email", EMAIL, "--org", "Northwind Trading", "--app", "Storefront chat", "--json", "--data", server.data, "--password-stdin"];
    Object.assign(server, { tenant: JSON.parse(await run(bootstrap, `${PASSWORD}\n`, server.env)), log: [], port: 0, messages: 0 });
    await server.serve();
    return server;
  }

  /** Starts the process on the port it had before, or any free one the first time. */
  async serve() {
    this.child = spawn(binary, ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.data], { stdio: ["ignore", "pipe", "pipe"], env: this.env });
    const address = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no address within ${START_MS} ms: ${this.log.join("\n")}`)), START_MS);
      const read = (line) => {
        this.log.push(line);
        const found = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(line);
        if (found) { clearTimeout(timer); resolve(found[1]); }
      };
      for (const stream of [this.child.stdout, this.child.stderr]) createInterface({ input: stream }).on("line", read);
      this.child.once("exit", (code) => { clearTimeout(timer); reject(new Error(`serve ended with ${code}: ${this.log.join("\n")}`)); });
    });
    this.base = address;
    this.port = Number(new URL(address).port);
  }

  /** Ends the process as an operator would; a second time by force. */
  async halt(signal = "SIGTERM") {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  async stop() {
    await this.halt();
    await rm(this.data, { recursive: true, force: true });
  }

  /** A REST call with a key: status, code of a refusal, body. */
  async ask(key, method, path, body, headers = {}) {
    const answer = await fetch(this.base + path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: body && JSON.stringify(body),
    });
    const value = JSON.parse((await answer.text()) || "null");
    return { status: answer.status, code: value?.error?.code, value };
  }

  /** The same where a refusal is a fault of the test, with the first app's key unless another is given. */
  async call(method, path, body, key = this.tenant.key, headers = {}) {
    const { status, value } = await this.ask(key, method, path, body, headers);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(value)}`);
    return value;
  }

  /** Sends messages to conversation c1, which the first call creates. */
  async send(count) {
    if (this.messages === 0) await this.call("POST", "/v1/conversations", { id: "c1", kind: "group", members: ["alice", "bob"] });
    for (let sent = 0; sent < count; sent += 1) {
      this.messages += 1;
      await this.call("POST", "/v1/conversations/c1/messages", { sender: "alice", client_msg_id: `m${this.messages}`, kind: "text", body: { text: `Message ${this.messages}` } });
    }
  }

  /** The sum of the usage API over the last day. */
  async usage() {
    const hour = 3_600_000;
    const to = (Math.floor(Date.now() / hour) + 1) * hour;
    const answer = await this.call("GET", `/v1/usage?from=${new Date(to - 24 * hour).toISOString()}&to=${new Date(to).toISOString()}`);
    return answer.items.reduce((sum, item) => sum + Number(item.quantity), 0);
  }
}
