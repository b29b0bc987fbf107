// A browser without a network of its own, visits that watch for everything that must not happen, and the accessibility check.
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { EMAIL, PASSWORD } from "./server.mjs";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Where pictures go, if they are wanted. */
const pictures = process.env.TOKENIM_PICTURES;
if (pictures) await mkdir(pictures, { recursive: true });

/** Chromium as Debian ships it, with a fresh profile. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });

/** Addresses given to visitors so far. */
let addresses = 0;

/** One visitor: a fresh context that collects console errors, policy reports and failed requests. */
export class Visitor {
  static async arrive(browser, server, { theme = "light", language = "en", width = 1280, javaScript = true, storage } = {}) {
    const visitor = new Visitor();
    const context = await browser.newContext({
      colorScheme: theme, locale: language, viewport: { width, height: 900 }, reducedMotion: "reduce", javaScriptEnabled: javaScript, storageState: storage,
    });
    const page = await context.newPage();
    Object.assign(visitor, { server, context, page, problems: [], requests: [], allowed: [] });
    page.on("console", (message) => { if (["error", "warning"].includes(message.type())) visitor.problems.push(`console: ${message.text()}`); });
    page.on("pageerror", (error) => visitor.problems.push(`page error: ${error.message}`));
    page.on("request", (request) => {
      visitor.requests.push(request);
      if (request.url().endsWith("/csp-report")) visitor.problems.push(`policy report: ${request.postData()}`);
      if (!request.url().startsWith(server.base)) visitor.problems.push(`request to ${request.url()}`);
    });
    return visitor;
  }

  goto(path) { return this.page.goto(this.server.base + path); }

  /** From now on comes from an address of its own, as a proxy tells it: what one address may try in vain is limited. */
  moveAway() {
    addresses += 1;
    return this.context.setExtraHTTPHeaders({ "x-forwarded-for": `198.51.100.${addresses}` });
  }

  async signIn(next = "") {
    await this.goto(`/sign-in${next && `?next=${encodeURIComponent(next)}`}`);
    await this.page.fill("#email", EMAIL);
    await this.page.fill("#password", PASSWORD);
    await Promise.all([this.page.waitForURL("**/console/**"), this.page.click("main button")]);
  }

  /** What leads to a page, which must have this status; the console's own line about a refusal is no surprise then. */
  async meet(status, lead) {
    if (status >= 400) this.allowed.push(new RegExp(`responded with a status of ${status} `));
    const answer = await lead();
    assert.equal(answer.status(), status, `${this.page.url()}: ${await this.page.locator("main").innerText()}`);
  }

  open(path, status = 200) { return this.meet(status, () => this.page.goto(new URL(path, this.server.base).href)); }
  reload(status = 200) { return this.meet(status, () => this.page.reload()); }

  /** Presses a button or link that leads to another page. */
  press(target, status = 200) {
    const found = typeof target === "string" ? this.page.locator(target) : target;
    return this.meet(status, async () => (await Promise.all([this.page.waitForNavigation(), found.click()]))[0]);
  }

  form(action) { return this.page.locator(`form[action="${action}"], form[action^="${action}?"]`); }

  /** Fills the form that is sent to this path, and sends it. */
  async submit(action, fields = {}, status = 200) {
    const form = typeof action === "string" ? this.form(action) : action;
    for (const [name, value] of Object.entries(fields)) {
      const field = form.locator(`[name="${name}"]`);
      const kind = await field.first().evaluate((element) => element.type);
      if (kind === "radio") await form.locator(`[name="${name}"][value="${value}"]`).check();
      else if (kind === "checkbox") await field.setChecked(value);
      else if (kind === "select-one") await field.selectOption(value);
      else await field.fill(value);
    }
    await this.press(form.locator("button:not([type=button])"), status);
  }

  /** Sends what the form on this page would send once more, as a second click does. Returns the status. */
  async submitAgain(action, fields) {
    const hidden = await this.form(action).locator("input[type=hidden]").evaluateAll((found) => found.map(({ name, value }) => [name, value]));
    return async () => {
      const headers = { origin: this.server.base };
      const answer = await this.context.request.post(this.server.base + action, { form: { ...Object.fromEntries(hidden), ...fields }, headers, maxRedirects: 0 });
      return answer.status();
    };
  }

  state() { return this.page.locator("#live-state").getAttribute("data-state"); }
  waitForState(state) { return this.page.waitForSelector(`#live-state[data-state="${state}"]`); }
  async figure(id) { return Number((await this.page.locator(id).innerText()).replaceAll(",", "")); }
  waitForFigure(id, value) {
    return this.page.waitForFunction(([id, value]) => Number(document.querySelector(id).textContent.replaceAll(",", "")) === value, [id, value], { timeout: 10_000 });
  }

  /** Notes violations of WCAG 2.2 AA and overflow to the side, which end the visit with all the others; takes a picture for people to look at. */
  async check(name) {
    const { page } = this;
    await page.evaluate(axeSource);
    const violations = await this.violations();
    this.problems.push(...violations.map(({ id, nodes }) => `axe on ${name}: ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`));
    await this.checkWidth(name);
    // A fixed bar would stand in the middle of a picture taken further down.
    if (pictures) await page.evaluate(() => scrollTo(0, 0));
    if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  }

  /** What axe finds; a target under the bar at the foot of a narrow page is measured again in the middle of the window. */
  async violations() {
    const run = () => this.page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), WCAG);
    const { violations } = await run();
    const covered = violations.find(({ id }) => id === "target-size");
    if (!covered) return violations;
    await this.page.locator(covered.nodes[0].target[0]).evaluate((target) => target.scrollIntoView({ block: "center" }));
    return (await run()).violations;
  }

  async checkWidth(name) {
    const [scroll, client] = await this.page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    if (scroll > client) this.problems.push(`${name} is ${scroll} wide in ${client}`);
  }

  /** Ends the visit; anything unexpected that was collected fails the test. */
  async leave() {
    const unexpected = this.problems.filter((problem) => !this.allowed.some((pattern) => pattern.test(problem)));
    await this.context.close();
    assert.deepEqual(unexpected, []);
  }
}
