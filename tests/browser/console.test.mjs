// The console in a real browser against the real binary: looks, access, live figures, work without JavaScript, size, safety.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { EMAIL, PASSWORD, Server } from "./server.mjs";

const FIRST_VISIT_BYTES_MAX = 100_000;
const FIRST_VISIT_REQUESTS_MAX = 6;
const REPEAT_VISIT_BYTES_MAX = 20_000;
const LAYOUT_SHIFT_MAX = 0.02;
const RESUME_MS_MAX = 5_000;
const REFUSED = /Failed to load resource: the server responded with a status of (401|403|429)/;

let server, browser;
before(async () => { [server, browser] = await Promise.all([Server.start(), launch()]); });
after(async () => { await browser?.close(); await server?.stop(); });

async function visit(options, steps) {
  const visitor = await Visitor.arrive(browser, server, options);
  try {
    await steps(visitor, visitor.page);
  } catch (error) {
    error.message += `\n${visitor.problems.join("\n")}\n${server.log.slice(-20).join("\n")}`;
    await visitor.context.close();
    throw error;
  }
  await visitor.leave();
}

/** The chart's numbers as the page holds them. */
const charted = (page) => page.evaluate(() => JSON.parse(document.querySelector("#usage-chart").dataset.chart).units.reduce((sum, units) => sum + units, 0));

const columnSum = (page, cells) => page.locator(cells).evaluateAll((found) => found.reduce((sum, cell) => sum + Number(cell.textContent.replaceAll(",", "")), 0));

/** The sum of the last column but one of the CSV file behind the page's link. */
async function csvSum(page) {
  const text = await page.evaluate(async () => (await fetch(document.querySelector("a[download]").href)).text());
  return text.trim().split("\r\n").slice(1).reduce((sum, line) => sum + Number(line.split(",").at(-2)), 0);
}

test("an empty org is told what to do, with a command that works as it is", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    await visitor.waitForFigure("#usage-total-figure", 0);
    const command = await page.locator("#snippet").innerText();
    assert.match(command, new RegExp(`curl ${server.base}/v1/conversations`));
    await visitor.check("usage-empty-light-en-1280");
  });
  await visit({ theme: "dark", language: "zh-CN", width: 360 }, async (visitor) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    await visitor.check("usage-empty-dark-zh-CN-360");
  });
});

test("the figures move by themselves and page, chart, table, CSV and API show one number", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    await page.evaluate(() => { window.sameDocument = true; });
    const before = await visitor.figure("#usage-total-figure");
    await server.send(3);
    await visitor.waitForFigure("#usage-total-figure", before + 3);
    await visitor.waitForFigure("#usage-sum td:nth-child(2)", before + 3);
    await page.waitForSelector("#usage-rows tbody tr");
    assert.equal(await columnSum(page, "#usage-rows tbody td.num"), before + 3);
    assert.equal(await columnSum(page, "#usage-buckets td:nth-child(2)"), before + 3);
    const latest = await page.locator("#usage-buckets td:nth-child(2)").last().textContent();
    assert.ok((await page.locator("#usage-readout").innerText()).startsWith(`${latest} · `), "the drawn chart moved too");
    await server.send(2);
    await visitor.waitForFigure("#usage-total-figure", before + 5);
    assert.ok(await page.evaluate(() => window.sameDocument), "the page was not loaded again");
    assert.equal(await server.usage(), before + 5);
    assert.equal(await csvSum(page), before + 5);
    await page.reload();
    assert.equal(await charted(page), before + 5);
    assert.equal(await visitor.figure("#usage-total-figure"), before + 5);
  });
});

test("an open part of the page survives the updates around it", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    await page.click(".fold summary");
    await page.focus(".scroll");
    const before = await visitor.figure("#usage-total-figure");
    await server.send(1);
    await visitor.waitForFigure("#usage-sum td:nth-child(2)", before + 1);
    assert.ok(await page.locator(".fold").evaluate((fold) => fold.open));
    assert.ok(await page.locator(".scroll").evaluate((part) => part === document.activeElement));
  });
});

test("Chinese pages hold no untranslated words and have a font for their letters", async () => {
  await visit({ language: "zh-CN" }, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    const allowed = /TokenIM|REST|Northwind Trading|Storefront chat|UTC|CSV|ID|msg_sent|English|app_[a-z0-9]+|dev@example\.com|curl/g;
    const text = await page.evaluate(() => document.body.innerText);
    assert.deepEqual(text.replace(allowed, "").match(/[A-Za-z]{2,}/g), null);
    const widths = await page.evaluate(() => {
      const pen = document.createElement("canvas").getContext("2d");
      pen.font = getComputedStyle(document.body).font;
      return ["用", "量", "\u{10FFFD}"].map((letter) => pen.measureText(letter).width);
    });
    assert.equal(widths[0], widths[1]);
    assert.notEqual(widths[0], widths[2], "the letters are not drawn as missing");
  });
});

test("everything works without JavaScript", async () => {
  await visit({ javaScript: false, language: "en" }, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    assert.ok(await page.locator("#usage-chart svg.first rect.bar, #usage-chart svg.first rect[fill]").count() > 0);
    assert.match(await page.locator("#live-state").innerText(), /Figures as of \d\d:\d\d:\d\d UTC/);
    await page.click("text=7 days");
    assert.match(page.url(), /range=7d/);
    await page.selectOption("#app", server.tenant.app);
    await page.click(".app-form button");
    assert.match(page.url(), new RegExp(`range=7d&app=${server.tenant.app}`));
    assert.match(await page.title(), /^Usage of Storefront chat · (test|live) · TokenIM$/);
    await page.click(".custom summary");
    await page.fill("#from", "2026-01-01T00:00");
    await page.fill("#to", "2026-01-02T00:00");
    await page.click(".custom button");
    assert.equal(await page.locator("#usage-total-figure").innerText(), "0");
    await page.goBack();
    assert.match(page.url(), /range=7d&app=/);
    await page.click(".fold summary");
    assert.equal(await page.locator("#usage-buckets tr").count(), 168);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("a[download]")]);
    assert.match(download.suggestedFilename(), /^usage-.*\.csv$/);
    await page.click(".menu summary");
    await page.click("button[value=dark]");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    assert.match(page.url(), /range=7d&app=/, "back on the same page");
    await page.click(".menu summary");
    await page.click("button[value=zh-CN]");
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await page.click(".menu summary");
    await page.click("button[value=en]");
    await page.click(".menu summary");
    await page.click("text=Sign out");
    await visitor.goto("/console/usage?range=7d");
    assert.match(page.url(), /\/sign-in\?next=/);
  });
});

test("the keyboard alone reaches content and menu, and focus returns to its opener", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.focus(".menu summary");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.value), "system");
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
    assert.ok(!(await page.locator(".menu").evaluate((menu) => menu.open)));
  });
});

test("pause holds the figures until resume", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    const before = await visitor.figure("#usage-total-figure");
    await page.click("#live-toggle");
    await visitor.waitForState("paused");
    await visit({}, async (other) => {
      await other.signIn();
      await other.waitForState("live");
      // Every page is told once a second: between the two numbers this page would have had its turn.
      for (const sent of [1, 2]) {
        await server.send(1);
        await other.waitForFigure("#usage-total-figure", before + sent);
      }
    });
    assert.equal(await visitor.figure("#usage-total-figure"), before);
    await page.click("#live-toggle");
    await visitor.waitForState("live");
    await visitor.waitForFigure("#usage-total-figure", before + 2);
  });
});

test("the first visit is small and quick, the second smaller, and nothing jumps", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    const cookies = await page.context().cookies();
    const fresh = await Visitor.arrive(browser, server, {});
    await fresh.context.addCookies(cookies);
    await fresh.page.addInitScript(() => {
      window.shift = 0;
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; }).observe({ type: "layout-shift", buffered: true });
    });
    await fresh.goto("/console/usage");
    await fresh.waitForState("live");
    const bytes = async () => {
      const finished = fresh.requests.filter((request) => !request.url().includes("/console/stream"));
      const sizes = await Promise.all(finished.map(async (request) => ((await request.response()).fromServiceWorker() ? 0 : (await request.sizes()).responseBodySize)));
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    const first = await bytes();
    assert.ok(first <= FIRST_VISIT_BYTES_MAX, `${first} bytes`);
    assert.ok(fresh.requests.length <= FIRST_VISIT_REQUESTS_MAX, fresh.requests.map((request) => request.url()).join("\n"));
    await fresh.page.waitForTimeout(2000);
    assert.ok((await fresh.page.evaluate(() => window.shift)) <= LAYOUT_SHIFT_MAX);
    fresh.requests.length = 0;
    await fresh.goto("/console/usage");
    const again = await bytes();
    assert.ok(again <= REPEAT_VISIT_BYTES_MAX, `${again} bytes on the second visit`);
    console.log(`first visit ${first} bytes, second ${again}`);
    await fresh.leave();
  });
});

test("a restarted server is found again by itself", async () => {
  await visit({}, async (visitor) => {
    visitor.allowed.push(/./);
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    await server.halt("SIGKILL");
    await visitor.waitForState("reconnecting");
    await server.serve();
    const back = Date.now();
    await visitor.waitForState("live");
    assert.ok(Date.now() - back <= RESUME_MS_MAX, `${Date.now() - back} ms`);
    console.log(`resumed after ${Date.now() - back} ms`);
  });
});

test("signing out elsewhere ends the stream at once", async () => {
  await visit({}, async (visitor, page) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    const other = await visitor.context.newPage();
    await other.goto(`${server.base}/console/usage`);
    await other.click(".menu summary");
    await other.click("text=Sign out");
    await visitor.waitForState("gone");
    assert.ok(await page.locator("#live-sign-in").isVisible());
  });
});

test("the fourth open page of a session pauses the first", async () => {
  await visit({}, async (visitor) => {
    await visitor.signIn("/console/usage");
    await visitor.waitForState("live");
    for (let count = 0; count < 3; count += 1) await (await visitor.context.newPage()).goto(`${server.base}/console/usage`);
    await visitor.waitForState("elsewhere");
  });
});

test("wrong password and unknown address read the same, and guessing is slowed down", async () => {
  await visit({}, async (visitor, page) => {
    visitor.allowed.push(REFUSED);
    const attempt = async (email, password) => {
      await visitor.goto("/sign-in");
      await page.fill("#email", email);
      await page.fill("#password", password);
      const [answer] = await Promise.all([page.waitForResponse((answer) => answer.request().method() === "POST"), page.click("main button")]);
      await page.waitForSelector("#problem");
      return [answer.status(), await page.locator("#problem").innerText()];
    };
    const wrong = await attempt(EMAIL, "not the password");
    assert.deepEqual(await attempt("nobody@example.com", "not the password"), wrong);
    assert.equal(wrong[0], 401);
    assert.equal(await page.inputValue("#email"), "nobody@example.com");
    assert.equal(await page.inputValue("#password"), "");
    await visitor.check("sign-in-refused");
    for (let count = 0; count < 4; count += 1) await attempt("nobody@example.com", "again");
    const [status, text] = await attempt("nobody@example.com", "again");
    assert.equal(status, 429);
    assert.match(text, /Try again in \d+ seconds?\./);
    await visitor.signIn("/console/usage");
  });
});

for (const host of ["localhost", "127.0.0.1"]) test(`a page of ${host === "localhost" ? "another site" : "the same site but another port"} can neither post to the console nor frame it`, async () => {
  const evil = createServer((request, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(`<form method="post" action="${server.base}/sign-out"><button>x</button></form><iframe src="${server.base}/console/usage"></iframe>`);
  });
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  try {
    await visit({}, async (visitor, page) => {
      visitor.allowed.push(/./);
      await visitor.signIn("/console/usage");
      await page.goto(`http://${host}:${evil.address().port}/`);
      const frame = page.frames()[1];
      assert.ok(!frame || !(await frame.content()).includes("usage-total"), "not framed");
      const [answer] = await Promise.all([page.waitForResponse((answer) => answer.request().method() === "POST"), page.click("button")]);
      // From another site the browser keeps the cookie back; from another port of the same site it sends it, and the token is missing.
      assert.equal(answer.status(), host === "localhost" ? 303 : 403);
      await visitor.goto("/console/usage");
      assert.equal(await page.locator("#usage-total").count(), 1, "still signed in");
    });
  } finally {
    evil.closeAllConnections();
    evil.close();
  }
});

test("a form without its token is refused with a way back", async () => {
  await visit({}, async (visitor, page) => {
    visitor.allowed.push(REFUSED);
    await visitor.signIn("/console/usage");
    await page.click(".menu summary");
    await page.evaluate(() => { for (const field of document.querySelectorAll("[name=csrf]")) field.value = "x"; });
    await page.click("button[value=dark]");
    assert.match(await page.content(), /csrf_failed/);
    assert.match(await page.locator("dd code").nth(1).innerText(), /^req_/);
    await page.click("main a.button");
    await page.waitForURL("**/console/overview");
  });
});

test("every answer carries the policy, errors and files included", async () => {
  const page = await fetch(`${server.base}/sign-in`);
  const asset = /\/assets\/[^"]+\.css/.exec(await page.text())[0];
  for (const path of ["/", "/sign-in", "/console", "/console/usage", "/console/usage.csv", "/console/stream", "/no-such-page", "/assets/none.css", asset]) {
    const answer = await fetch(server.base + path, { redirect: "manual" });
    const header = (name) => answer.headers.get(name) ?? "";
    assert.match(header("content-security-policy"), /^default-src 'none'; script-src 'self'/, path);
    assert.doesNotMatch(header("content-security-policy"), /unsafe/, path);
    assert.equal(header("x-content-type-options"), "nosniff", path);
    assert.equal(header("referrer-policy"), "no-referrer", path);
    assert.equal(header("cross-origin-opener-policy"), "same-origin", path);
    assert.equal(header("cross-origin-resource-policy"), "same-origin", path);
    assert.match(header("cache-control"), path === asset ? /immutable/ : /no-store/, path);
  }
  const body = new URLSearchParams({ email: EMAIL, password: PASSWORD });
  const bare = await fetch(`${server.base}/sign-in`, { method: "POST", body, redirect: "manual" });
  assert.equal(bare.status, 403, "a post from nowhere");
});
