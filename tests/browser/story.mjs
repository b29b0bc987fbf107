// What a customer does from sign-up to the last page, step by step, and what goes wrong on the way; with and without script.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import WebSocket from "ws";
import { Authenticator } from "./authenticator.mjs";
import { Visitor } from "./browser.mjs";
import { EMAIL as OPERATOR, PASSWORD as OPERATOR_PASSWORD, until } from "./server.mjs";

const PASSWORD = "a long enough phrase for all";
const OTHER_PASSWORD = "quite another phrase for all";
/** Opens what a row of a table hides. */
const fold = (row) => row.locator("summary").click();
/** Within this time a revoked key's sockets are closed and its calls refused. */
const REVOKED_MS_MAX = 5_000;
/** What a page may take on a busy machine. */
const STEP_MS_MAX = 15_000;

/** A user's connection to the gateway. */
class Socket {
  static async open(server, token, origin) {
    const socket = new Socket();
    const raw = new WebSocket(`${server.base.replace("http", "ws")}/v1/connect`, "tokenim.v1.json", origin ? { origin } : {});
    socket.raw = raw;
    socket.closed = new Promise((resolve) => raw.once("close", (code) => resolve({ code, at: Date.now() })));
    raw.once("open", () => raw.send(JSON.stringify({ id: 1, connect: { token } })));
    raw.on("error", () => {});
    socket.isOpen = await new Promise((resolve) => {
      raw.once("message", (data) => resolve("ok" in JSON.parse(data)));
      raw.once("close", () => resolve(false));
    });
    return socket;
  }

  /** Closed by the server with this code, at most so long after that time. */
  async isClosedSoon(code, since) {
    const closed = await Promise.race([this.closed, pause(REVOKED_MS_MAX + 1_000)]);
    assert.equal(closed?.code, code);
    assert.ok(closed.at - since <= REVOKED_MS_MAX, `closed after ${closed.at - since} ms`);
  }
}

const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function signed({ kid, secret }, app, user) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${base64({ alg: "HS256", kid })}.${base64({ iss: kid, aud: app, sub: user, iat: now, exp: now + 3_600 })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

export class Story {
  opened = new Set();

  constructor(server, browser, javaScript) {
    Object.assign(this, { server, browser, javaScript, adaEmail: "ada@example.com", bobEmail: "bob@example.com", visitors: [] });
  }

  async arrive() {
    const visitor = await Visitor.arrive(this.browser, this.server, { javaScript: this.javaScript });
    visitor.page.setDefaultTimeout(STEP_MS_MAX);
    visitor.allowed.push(/^request to ws:\/\/127\.0\.0\.1/);
    this.visitors.push(visitor);
    return visitor;
  }

  async leave() { for (const visitor of this.visitors) await visitor.leave(); }

  token(key) { return this.server.ask(key, "POST", "/v1/tokens", { user: "carol" }); }

  /** Opens the newest mail to an address in the development mailbox, once it is there, and returns its link. */
  async mailed({ page }, to, path) {
    return until(`mail with ${path} to ${to}`, async () => {
      await page.goto(`${this.server.base}/dev/mail`);
      const mail = page.locator("tbody tr", { hasText: to }).first().locator("a");
      if (!(await mail.count())) return null;
      await mail.click();
      const link = page.locator(`pre a[href*="${path}"]`);
      const href = (await link.count()) ? await link.getAttribute("href") : null;
      if (!href || this.opened.has(href)) return null;
      this.opened.add(href);
      return href;
    });
  }

  async signUp(visitor, email) {
    await visitor.submit("/sign-up", { email, new_password: "passwordpassword" }, 422);
    assert.ok(await visitor.page.locator("#problems").evaluate((part) => part === document.activeElement), "the summary has the focus");
    assert.equal(await visitor.page.inputValue("#email"), email);
    assert.equal(await visitor.page.inputValue("#new_password"), "");
    await visitor.submit("/sign-up", { new_password: PASSWORD });
  }

  async signIn(visitor, email, password) {
    await visitor.open("/sign-in");
    await visitor.submit("/sign-in", { email, password });
  }

  async signOut(visitor) {
    await visitor.open("/console/account");
    await visitor.page.click(".menu summary");
    await visitor.submit("/sign-out");
    assert.match(visitor.page.url(), /\/sign-in$/);
  }

  async download({ page }, link) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(link)]);
    const stream = await download.createReadStream();
    return (await stream.toArray()).join("");
  }

  async signsUp() {
    this.ada = await this.arrive();
    await this.ada.open("/sign-up");
    await this.signUp(this.ada, this.adaEmail);
    assert.match(this.ada.page.url(), /\/quickstart$/);
    this.app = this.ada.page.url().split("/apps/")[1].split("/")[0];
  }

  async talks() {
    const { page } = this.ada;
    const pane = (user) => page.locator(`[data-pane="${user}"]`);
    if (this.javaScript) await pane("bob").getByText("Connected", { exact: true }).waitFor();
    for (const [from, to, text] of [["alice", "bob", "Hello, Bob"], ["bob", "alice", "Hello, Alice"]]) {
      await pane(from).locator("[name=text]").fill(text);
      await pane(from).locator("button").click();
      await pane(to).locator(".said-text", { hasText: text }).waitFor();
    }
    assert.equal(await pane("alice").locator(".said").count(), 2, "nothing doubled");
  }

  async verifies() {
    const { ada } = this;
    await ada.open("/console/account");
    assert.equal(await ada.form("/console/account/verify").count(), 1, "asked to verify");
    const link = await this.mailed(ada, this.adaEmail, "/verify");
    await ada.open(link);
    await ada.submit("/verify");
    await ada.open("/console/account");
    assert.equal(await ada.form("/console/account/verify").count(), 0);
    await ada.open(link, 404); // a link works once
  }

  async managesAnApp() {
    const { ada } = this;
    await ada.open("/console/apps/new");
    const again = await ada.submitAgain("/console/apps", { name: "Shop", mode: "live" });
    await ada.submit("/console/apps", { name: "Shop", mode: "live" });
    assert.equal(await again(), 409, "a second click makes no second app");
    await ada.open("/console/apps");
    assert.equal(await ada.page.locator("tbody tr", { hasText: "Shop" }).count(), 1);
    await ada.press(ada.page.locator("tbody a", { hasText: "Shop" }));
    const shop = new URL(ada.page.url()).pathname;
    await ada.submit(`${shop}/rename`, { name: "  " }, 422);
    await ada.submit(`${shop}/rename`, { name: "Shop <b>two</b>" });
    await ada.open(shop);
    assert.equal(await ada.page.locator("h1").innerText(), "Shop <b>two</b>");
    await ada.submit(`${shop}/suspend`);
    await ada.open(shop);
    assert.equal(await ada.page.locator(".tag.warn").count(), 1, "shown as suspended");
    await ada.submit(`${shop}/resume`);
    await ada.open(shop);
    assert.equal(await ada.page.locator(".tag.warn").count(), 0);
    await ada.submit(`${shop}/delete`, { typed_name: "Shop" }, 422);
    await ada.submit(`${shop}/delete`, { typed_name: "Shop <b>two</b>" });
    await ada.open(shop, 404);
    await ada.open("/console/apps");
    assert.equal(await ada.page.locator("tbody tr", { hasText: "Shop" }).count(), 0);
  }

  async usesAKey() {
    const { ada } = this, { page } = ada;
    const keys = `/console/apps/${this.app}/keys`;
    const secret = async () => (await page.locator("#secret").innerText()).trim();
    await ada.open(keys);
    await ada.submit(keys, { name: "Backend" }, 422);
    assert.equal(await page.inputValue("#name"), "Backend", "what was entered is kept");
    await ada.submit(keys, { "*": true });
    const old = await secret();
    assert.match(old, /^tim_test_/);
    await ada.reload(409);
    assert.ok(!(await page.content()).includes(old), "shown once");

    const minted = await this.token(old);
    assert.equal(minted.status, 200);
    const socket = await Socket.open(this.server, minted.value.token);
    assert.ok(socket.isOpen);
    await ada.open(keys);
    const row = page.locator("tbody tr", { hasText: "Backend" });
    assert.equal(await row.count(), 1, "the reload made no second key");
    await fold(row);
    await ada.submit(row.locator("form[action$='/rotate']"), { grace_s: "86400" });
    this.key = await secret();
    assert.notEqual(this.key, old);
    for (const key of [old, this.key]) assert.equal((await this.token(key)).status, 200, "old and new work side by side");
    assert.equal(socket.raw.readyState, WebSocket.OPEN);

    await ada.open(keys);
    const leaving = page.locator("tbody tr", { hasText: "replaced, works until" });
    await fold(leaving);
    const since = Date.now();
    await ada.submit(leaving.locator("form[action$='/revoke']"));
    await socket.isClosedSoon(4102, since);
    await until("the old key is refused", async () => (await this.token(old)).code === "key_revoked", REVOKED_MS_MAX);
    assert.equal((await this.token(this.key)).status, 200);
  }

  async signsTokens() {
    const { ada } = this, { page } = ada;
    const keys = `/console/apps/${this.app}/signing-keys`;
    await ada.open(keys);
    await ada.submit(keys, { name: "Signer", algorithm: "EdDSA", public_key: "no key" }, 422);
    assert.equal(await page.inputValue("#public_key"), "", "it may have been a private one");
    await ada.submit(keys, { algorithm: "HS256", public_key: "" });
    const key = { kid: (await page.locator("dd.mono").innerText()).trim(), secret: (await page.locator("#secret").innerText()).trim() };
    const socket = await Socket.open(this.server, signed(key, this.app, "dave"));
    assert.ok(socket.isOpen);
    assert.ok(!(await Socket.open(this.server, signed({ ...key, secret: "wrong" }, this.app, "dave"))).isOpen);
    await ada.open(keys);
    const row = page.locator("tbody tr", { hasText: "Signer" });
    await row.locator("summary").click();
    const since = Date.now();
    await ada.submit(row.locator("form[action$='/revoke']"));
    await socket.isClosedSoon(4102, since);
  }

  async namesOrigins() {
    const { ada } = this;
    const origins = `/console/apps/${this.app}/origins`;
    const { value: { token } } = await this.token(this.key);
    await ada.open(origins);
    await ada.submit(origins, { origin: "https://shop.example/path" }, 422);
    await ada.submit(origins, { origin: "https://shop.example" });
    await until("another origin is refused", async () => {
      const socket = await Socket.open(this.server, token, "https://evil.example");
      socket.raw.terminate();
      return !socket.isOpen;
    }, REVOKED_MS_MAX);
    const socket = await Socket.open(this.server, token, "https://shop.example");
    assert.ok(socket.isOpen);
    socket.raw.terminate();
    await ada.submit(`${origins}/remove`);
    assert.equal(await ada.form(`${origins}/remove`).count(), 0);
  }

  async invites() {
    const { ada } = this;
    await ada.open("/console/members");
    await ada.submit("/console/members/invite", { email: this.bobEmail, role: "developer" });
    await ada.submit("/console/members/invite", { email: this.bobEmail, role: "developer" }, 409);
    const link = await this.mailed(ada, this.bobEmail, "/invitations/accept");
    await ada.open(link, 403); // an invitation is for its address

    this.bob = await this.arrive();
    await this.bob.open(link);
    await this.bob.press("main a[href^='/sign-up']");
    await this.signUp(this.bob, this.bobEmail);
    assert.equal(this.bob.page.url(), link, "back at the invitation");
    await this.bob.submit("/invitations/accept");
    await this.bob.open(link, 409); // accepted once
    await this.bob.open(`/console/apps/${this.app}/keys`); // a developer sees keys
    await this.bob.open("/console/members", 403); // and no members
  }

  /** The page of Bob as a member, in a tab. */
  async openBob(visitor, page) {
    await page.goto(`${this.server.base}/console/members`);
    await page.locator("tbody tr", { hasText: this.bobEmail }).locator("a").click();
    await page.waitForURL("**/console/members/*");
    return new URL(page.url()).pathname;
  }

  async changesARole() {
    const { ada } = this;
    const late = await ada.context.newPage();
    const path = await this.openBob(ada, late);
    await this.openBob(ada, ada.page);
    await ada.submit(`${path}/role`, { role: "admin" });
    await this.bob.open("/console/members"); // it holds at once
    await late.selectOption("#role", "viewer");
    const [answer] = await Promise.all([late.waitForNavigation(), late.click(`form[action="${path}/role"] button`)]);
    assert.equal(answer.status(), 409, "the second tab is told, and overwrites nothing");
    await late.close();
  }

  async removesAMember() {
    const { ada, bob } = this;
    await bob.open("/console/usage");
    if (this.javaScript) await bob.waitForState("live");
    const path = await this.openBob(ada, ada.page);
    await ada.submit(`${path}/remove`, { typed: "somebody else" }, 422);
    await ada.submit(`${path}/remove`, { typed: this.bobEmail });
    if (this.javaScript) await bob.waitForState("gone");
    await bob.open(`/console/apps/${this.app}`, 404);
    await bob.open("/console/orgs");
    assert.equal(await bob.page.locator("tbody tr").count(), 1, "in the own org and no other");
  }

  async addsASecondFactor() {
    const { ada } = this, { page } = ada;
    const path = "/console/account/totp";
    const seed = () => page.locator("main p > code").innerText();
    await ada.open(path);
    await ada.submit(`${path}/begin`);
    const shown = await seed();
    await ada.submit(path, { code: "000000" }, 422);
    assert.equal(await seed(), shown, "the picture that was read stays right");
    this.authenticator = new Authenticator(shown);
    await ada.submit(path, { code: this.authenticator.code() });
    this.codes = await page.locator(".codes code").allInnerTexts();
    assert.equal(this.codes.length, 10);
    await ada.reload(409);

    await this.signOut(ada);
    await this.signIn(ada, this.adaEmail, PASSWORD);
    await ada.submit("/sign-in/code", { code: "000000" }, 422);
    await ada.submit("/sign-in/code", { code: this.authenticator.code() });
    await this.signOut(ada);
    await this.signIn(ada, this.adaEmail, PASSWORD);
    const code = this.codes.pop();
    await ada.submit("/sign-in/code", { code });
    await this.signOut(ada);
    await this.signIn(ada, this.adaEmail, PASSWORD);
    await ada.submit("/sign-in/code", { code }, 422);
    await ada.submit("/sign-in/code", { code: this.codes.pop() });
  }

  async resetsThePassword() {
    const { ada } = this;
    await this.signOut(ada);
    await ada.press("a[href^='/forgot']");
    await ada.submit("/forgot", { email: this.adaEmail });
    const link = await this.mailed(ada, this.adaEmail, "/reset");
    await ada.open(link);
    await ada.submit("/reset", { new_password: "passwordpassword" }, 422);
    await ada.submit("/reset", { new_password: OTHER_PASSWORD });
    assert.match(ada.page.url(), /\/sign-in$/);
    await ada.open(link, 404); // a link works once
    await ada.open("/sign-in");
    await ada.submit("/sign-in", { email: this.adaEmail, password: PASSWORD }, 401);
    await this.signIn(ada, this.adaEmail, OTHER_PASSWORD);
    await ada.submit("/sign-in/code", { code: this.codes.pop() });
  }

  async looksAfterTheAccount() {
    const { ada } = this, { page } = ada;
    const elsewhere = await this.arrive();
    await this.signIn(elsewhere, this.adaEmail, OTHER_PASSWORD);
    await elsewhere.submit("/sign-in/code", { code: this.codes.pop() });
    await ada.open("/console/account");
    await ada.submit(ada.page.locator("form[action$='/end']"));
    await elsewhere.open("/console/account");
    assert.match(elsewhere.page.url(), /\/sign-in\?next=/, "signed out there");
    await ada.open("/console/account");
    await ada.press("main button[value=dark]");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await ada.press("main button[value='zh-CN']");
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await ada.press("main button[value=en]");
    await ada.press("main button[value=system]");
  }

  async handsAnOrgOver() {
    const { ada, bob } = this, { page } = ada;
    await ada.open("/console/orgs");
    await ada.submit("/console/orgs", { name: "Second" });
    assert.equal(await page.locator("header .org").innerText().then((text) => text.trim().endsWith("Second")), true);
    await ada.open("/console/orgs");
    await ada.submit("/console/orgs/leave", { typed: "Second" }, 409);
    await ada.open("/console/members");
    await ada.submit("/console/members/invite", { email: this.bobEmail, role: "admin" });
    const link = await this.mailed(bob, this.bobEmail, "/invitations/accept");
    await bob.open(link);
    await bob.submit("/invitations/accept");
    await ada.open("/console/settings");
    await ada.submit("/console/settings/transfer", { account: this.bobEmail, typed: "First" }, 422);
    await ada.submit("/console/settings/transfer", { account: this.bobEmail, typed: "Second" });
    await ada.open("/console/orgs");
    await ada.submit("/console/orgs/leave", { typed: "second" }, 422);
    await ada.submit("/console/orgs/leave", { typed: "Second" });
    await ada.open("/console/orgs");
    assert.equal(await page.locator("tbody tr").count(), 1);
    await bob.open("/console/orgs");
    const own = bob.page.locator("tbody form[action='/console/orgs/switch']");
    await bob.submit(own);
    assert.ok(!(await bob.page.locator("header .org").innerText()).includes("Second"), "switched to the own org");
  }

  async readsAndSets() {
    const { ada } = this, { page } = ada;
    await ada.open("/console/plan");
    await ada.press("a[href='/console/plan/pro']");
    await ada.submit("/console/plan/pro");
    await ada.open("/console/plan");
    assert.match(await page.locator(".plan.current").innerText(), /Pro/);

    await ada.open("/console/usage");
    assert.equal(await ada.figure("#usage-total-figure"), 2);
    assert.match(await this.download(ada, "a[download]"), new RegExp(`${this.app}.*,2,`));

    await ada.open("/console/audit");
    await page.fill("#action", "key.revoked");
    await ada.press(".filters button");
    assert.equal(await page.locator("tbody tr").count(), 1);
    const rows = (await this.download(ada, "a[download][href*='ndjson']")).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(rows.map(({ action }) => action), ["key.revoked"]);
    assert.match(await this.download(ada, "a[download][href*='csv']"), /key\.revoked/);
    await ada.open("/console/audit");
    await ada.press("a[href*='check=1']");
    assert.equal(await page.locator("main .live-now[class~=tag]").count(), 1, "the chain is intact");
    await ada.open("/console/audit?before=x", 400);

    await ada.open("/console/settings");
    await ada.submit("/console/settings", { name: "Ada & friends" });
    await ada.submit("/console/settings/management-keys", { key_name: "Scripts", role: "developer" });
    const key = (await page.locator("pre").innerText()).trim();
    assert.match(key, /^tim_live_mk_/);
    await ada.reload(409);
    const apps = await this.server.ask(key, "GET", "/v1/manage/apps");
    assert.deepEqual(apps.value.items.map(({ id }) => id), [this.app]);
    assert.equal((await this.server.ask(key, "GET", "/v1/manage/members")).status, 403, "no more than its role");
    await ada.open("/console/settings");
    await fold(page.locator("tbody tr", { hasText: "Scripts" }));
    await ada.submit(page.locator("form[action$='/revoke']"));
    await until("the key is refused", async () => (await this.server.ask(key, "GET", "/v1/manage/apps")).code === "key_revoked", REVOKED_MS_MAX);
  }

  async isOperated() {
    const { ada } = this;
    const operator = await this.arrive(), { page } = operator;
    await this.signIn(operator, OPERATOR, OPERATOR_PASSWORD);
    await operator.open("/console/account/totp");
    await operator.submit("/console/account/totp/begin");
    const authenticator = new Authenticator(await page.locator("main p > code").innerText());
    await operator.submit("/console/account/totp", { code: authenticator.code() });
    await operator.open("/operator");
    assert.match(page.url(), /\/console\/operator/, "a session of its own");
    await operator.submit("/console/operator", { password: OPERATOR_PASSWORD, code: "000000" }, 422);
    await operator.submit("/console/operator", { password: OPERATOR_PASSWORD, code: authenticator.code() });
    assert.match(page.url(), /\/operator$/);
    await operator.open("/operator/orgs");
    await page.fill("#q", this.adaEmail);
    await operator.press(".filters button");
    await operator.press("tbody tr a");
    const org = new URL(page.url()).pathname;
    await operator.submit(`${org}/suspend`, { reason: "An unpaid bill" });

    await operator.open(org);
    await until("the org is refused", async () => (await this.token(this.key)).code === "org_suspended", REVOKED_MS_MAX);
    await ada.open("/console/orgs");
    assert.match(await ada.page.locator("body").innerText(), /An unpaid bill/);
    await operator.submit(`${org}/resume`, { reason: "It was paid" });
    await until("the org works again", async () => (await this.token(this.key)).status === 200, REVOKED_MS_MAX);
    await ada.open("/operator", 404); // for others there is no such page

    for (const path of ["/operator/plans", "/operator/nodes", "/operator/jobs"]) {
      await operator.open(path);
      assert.ok((await page.locator("main .card").count()) > 0);
    }
    await operator.open("/operator/audit");
    assert.match(await page.locator("tbody").innerText(), /An unpaid bill/);
    await ada.open("/console/audit");
    assert.match(await ada.page.locator("tbody").innerText(), /It was paid/, "the org's own log tells it too");
  }
}

/** The steps in their order. */
export const STEPS = [
  "signsUp", "talks", "verifies", "managesAnApp", "usesAKey", "signsTokens", "namesOrigins", "invites", "changesARole", "removesAMember",
  "addsASecondFactor", "resetsThePassword", "looksAfterTheAccount", "handsAnOrgOver", "readsAndSets", "isOperated",
];
