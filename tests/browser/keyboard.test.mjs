// The keyboard alone: every stop is seen, and what was done takes the focus.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { Server } from "./server.mjs";

const PASSWORD = "a long enough phrase for all";
/** Presses of Tab within which anything of a page is reached. */
const STOPS_MAX = 60;

let server, browser;
before(async () => { [server, browser] = await Promise.all([Server.start(), launch()]); });
after(async () => { await browser?.close(); await server?.stop(); });

class Typist {
  constructor(visitor) { Object.assign(this, { visitor, page: visitor.page, keyboard: visitor.page.keyboard }); }

  focused(about) { return this.page.evaluate(about ?? (() => document.activeElement.outerHTML.slice(0, 200))); }
  isOn(selector) { return this.page.evaluate((selector) => document.activeElement.matches(selector), selector); }

  /** The focused element has a mark of two pixels and lies where it can be seen. */
  async assertSeen() {
    const { outline, isOnTop } = await this.page.evaluate(() => {
      const { activeElement: element } = document, style = getComputedStyle(element), box = element.getBoundingClientRect();
      const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 16));
      return { outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth), isOnTop: element.contains(top) || top?.contains(element) };
    });
    assert.ok(outline >= 2 && isOnTop, `seen: outline ${outline}, on top ${isOnTop}: ${await this.focused()}`);
  }

  async tabTo(selector) {
    for (let stop = 0; stop < STOPS_MAX; stop += 1) {
      await this.keyboard.press("Tab");
      await this.assertSeen();
      if (await this.isOn(selector)) return;
    }
    assert.fail(`${selector} is not among the first ${STOPS_MAX} stops of ${this.page.url()}`);
  }

  /** Types into the focused field instead of what is there. */
  async type(text) {
    await this.keyboard.press("Control+A");
    await this.keyboard.type(text);
  }

  /** Sends a form by Enter; the page that answers puts the focus on what it tells. */
  async enter(status = 200) {
    await this.visitor.meet(status, async () => (await Promise.all([this.page.waitForNavigation(), this.keyboard.press("Enter")]))[0]);
    assert.ok(!(await this.isOn("body, html")), `the focus is lost on ${this.page.url()}`);
  }
}

async function type(steps) {
  const visitor = await Visitor.arrive(browser, server);
  visitor.allowed.push(/^request to ws:\/\/127\.0\.0\.1/);
  await steps(new Typist(visitor));
  await visitor.leave();
}

async function signUp(typist, email) {
  await typist.visitor.open("/sign-up");
  assert.ok(await typist.isOn("#email"), "ready to type");
  await typist.type(email);
  await typist.tabTo("#new_password");
  await typist.type(PASSWORD);
  await Promise.all([typist.page.waitForURL("**/quickstart"), typist.keyboard.press("Enter")]);
}

test("the quickstart", async () => {
  await type(async (typist) => {
    const { page } = typist;
    await signUp(typist, "keys@example.com");
    await page.locator('[data-pane="bob"]').getByText("Connected", { exact: true }).waitFor();
    for (const [user, other, text] of [["alice", "bob", "Hello, Bob"], ["bob", "alice", "Hello, Alice"]]) {
      await typist.tabTo(`#text-${user}`);
      await typist.type(text);
      await typist.keyboard.press("Enter");
      await page.locator(`[data-pane="${other}"] .said-text`, { hasText: text }).waitFor();
      assert.ok(await typist.isOn(`#text-${user}`), "ready for the next message");
    }
    await typist.tabTo("#checkpoints a");
    await page.waitForFunction(() => document.querySelectorAll("#checkpoints tbody tr:first-child .step.done").length === 3);
    await page.waitForResponse((answer) => answer.url().endsWith("/checkpoints"));
    assert.ok(await typist.isOn("#checkpoints a"), "an update leaves the focus alone");
    await typist.tabTo("pre");
    await typist.tabTo("[data-copy]");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await typist.keyboard.press("Enter");
    await page.getByText("Copied", { exact: true }).waitFor();
    assert.ok(await typist.isOn("[data-copy]"));
  });
});

test("replacing a key", async () => {
  await type(async (typist) => {
    const { page, visitor } = typist;
    await signUp(typist, "rotation@example.com");
    await visitor.open(new URL(page.url()).pathname.replace("quickstart", "keys"));
    await typist.tabTo("form[action$='/keys'] #name");
    await typist.type("Backend");
    await typist.tabTo("input[name='*']");
    await typist.keyboard.press("Space");
    await typist.tabTo("form[action$='/keys'] button");
    await typist.enter();
    await typist.tabTo("main .actions a");
    await Promise.all([page.waitForNavigation(), typist.keyboard.press("Enter")]);
    await typist.tabTo("tbody summary");
    await typist.keyboard.press("Enter");
    await typist.tabTo("select");
    await typist.keyboard.press("ArrowDown");
    await typist.tabTo("form[action$='/rotate'] button");
    await typist.enter();
    assert.match(await page.locator("#secret").innerText(), /^tim_test_sk_/);
    await typist.tabTo("main .actions a");
    await Promise.all([page.waitForURL("**/keys"), typist.keyboard.press("Enter")]);
    assert.equal(await page.locator("tbody tr", { hasText: "replaced, works until" }).count(), 1);
    await typist.tabTo("form[action$='/keys'] #name");
    await typist.type("Without a scope");
    await typist.enter(422);
    assert.ok(await typist.isOn("#problems"));
    await typist.tabTo("#problems a");
    await typist.keyboard.press("Enter");
    await typist.keyboard.press("Tab");
    assert.ok(await typist.isOn("#scopes *"), "the summary leads to the field");
  });
});

test("an invitation", async () => {
  await type(async (typist) => {
    const { visitor } = typist;
    await visitor.open("/sign-in");
    await visitor.signIn();
    await visitor.open("/console/members");
    await typist.tabTo("#email");
    await typist.type("somebody@example.com");
    await typist.tabTo("#role");
    await typist.keyboard.press("End");
    await typist.tabTo("form[action$='/invite'] button");
    await typist.enter();
    assert.ok(await typist.isOn(".toast"));
    await typist.tabTo("form[action$='/resend'] button");
    await typist.enter(429);
    assert.ok(await typist.isOn("#problems"));
    await typist.tabTo("form[action$='/revoke'] button");
    await typist.enter();
    assert.ok(await typist.isOn(".toast"));
    assert.equal(await typist.page.locator("form[action$='/revoke']").count(), 0);
  });
});
