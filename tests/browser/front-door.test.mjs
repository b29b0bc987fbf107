// The front door in a real browser: sign up, send a first message, both with and without JavaScript.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { Server } from "./server.mjs";

const PASSWORD = "a long enough phrase for all";
const FIRST_MESSAGE_MS_MAX = 60_000;

let server, browser;
before(async () => { [server, browser] = await Promise.all([Server.start(), launch()]); });
after(async () => { await browser?.close(); await server?.stop(); });

async function visit(options, steps) {
  const visitor = await Visitor.arrive(browser, server, options);
  // The page's own sockets go to the same origin under another scheme.
  visitor.allowed.push(/^request to ws:\/\/127\.0\.0\.1/);
  try {
    await steps(visitor, visitor.page);
  } catch (error) {
    error.message += `\nat ${visitor.page.url()}\n${visitor.problems.join("\n")}\n${server.log.slice(-20).join("\n")}`;
    await visitor.context.close();
    throw error;
  }
  await visitor.leave();
}

async function signUp(visitor, email) {
  const { page } = visitor;
  await visitor.goto("/sign-up");
  await page.fill("#email", email);
  await page.fill("#new_password", PASSWORD);
  await Promise.all([page.waitForURL("**/quickstart"), page.click("main button")]);
}

const pane = (page, user) => page.locator(`[data-pane="${user}"]`);

async function say(page, user, text) {
  await pane(page, user).locator("input[name=text]").fill(text);
  await pane(page, user).locator("button").click();
}

test("somebody new has two users talking within a minute, and the checkpoints tick", async () => {
  await visit({}, async (visitor, page) => {
    const begun = Date.now();
    await signUp(visitor, "new@example.com");
    await pane(page, "bob").getByText("Connected", { exact: true }).waitFor();
    await say(page, "alice", "Hello, Bob");
    await pane(page, "bob").locator(".said-text", { hasText: "Hello, Bob" }).waitFor();
    assert.ok(Date.now() - begun < FIRST_MESSAGE_MS_MAX);
    await say(page, "bob", "Hello, Alice");
    await pane(page, "alice").locator(".said-text", { hasText: "Hello, Alice" }).waitFor();
    assert.equal(await pane(page, "alice").locator(".said").count(), 2, "nothing doubled");
    await page.waitForFunction(() => document.querySelectorAll("#checkpoints tbody tr:first-child .step.done").length === 3);
    await visitor.check("quickstart-light-en-1280");
  });
});

test("panes whose key is revoked say so and do not come back", async () => {
  await visit({}, async (visitor, page) => {
    await signUp(visitor, "revoked@example.com");
    await pane(page, "bob").getByText("Connected", { exact: true }).waitFor();
    let sockets = 0;
    page.on("websocket", () => { sockets += 1; });
    const other = await visitor.context.newPage();
    await other.goto(page.url().replace(/quickstart$/, "signing-keys"));
    await other.locator('form[action$="/revoke"]').evaluate((form) => form.submit());
    await pane(page, "alice").getByText("Closed. Reload the page for a new token; if it closes again, the checkpoints below say why.").waitFor();
    await pane(page, "bob").getByText("Closed. Reload the page for a new token; if it closes again, the checkpoints below say why.").waitFor();
    assert.ok(await pane(page, "alice").locator("input[name=text]").isDisabled(), "nothing can be said that would not be stored");
    await page.waitForTimeout(1500);
    assert.equal(sockets, 0, "the first retry would have been after a second");
  });
});

test("the same without JavaScript", async () => {
  await visit({ javaScript: false }, async (visitor, page) => {
    await signUp(visitor, "plain@example.com");
    await say(page, "alice", "Hello, Bob");
    await pane(page, "bob").locator(".said-text", { hasText: "Hello, Bob" }).waitFor();
    await say(page, "bob", "Hello, Alice");
    await pane(page, "alice").locator(".said-text", { hasText: "Hello, Alice" }).waitFor();
    assert.equal(await pane(page, "alice").locator(".said").count(), 2);
  });
});
