// Every page, empty and full, in the dresses people wear: nothing that axe finds, nothing on the console, nothing too wide.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { GIVEN, seed } from "./seed.mjs";
import { Server } from "./server.mjs";

/** One of each theme, language and width; every combination where pictures are wanted. */
const DRESSES = process.env.TOKENIM_PICTURES
  ? ["light", "dark"].flatMap((theme) => ["en", "zh-CN"].flatMap((language) => [360, 1280].map((width) => ({ theme, language, width }))))
  : [{ theme: "light", language: "en", width: 1280 }, { theme: "dark", language: "zh-CN", width: 360 }, { theme: "light", language: "zh-CN", width: 768 }];
/** What a dress may take on a busy machine. */
const DRESS_MS_MAX = 120_000;
/** Dresses tried at the same time. */
const AT_ONCE = 2;
const PASSWORD = "a long enough phrase for all";

/** Pages of somebody who has just signed up; `{app}` is their first app. */
const NEW = [
  "/console/overview", "/console/usage", "/console/plan", "/console/plan/pro", "/console/apps", "/console/apps/new", "/console/apps/{app}",
  "/console/apps/{app}/quickstart", "/console/apps/{app}/quickstart?code=react", "/console/apps/{app}/quickstart?code=java",
  "/console/apps/{app}/quickstart?code=kotlin", "/console/apps/{app}/quickstart?code=swift",
  "/console/apps/{app}/keys", "/console/apps/{app}/signing-keys", "/console/apps/{app}/origins",
  "/console/members", "/console/orgs", "/console/audit", "/console/settings", "/console/account", "/console/account/totp", "/console/prove",
];
/** Pages of an org with a history, and of the operator area. */
const FULL = [
  "/console/overview", "/console/usage", "/console/usage?range=30d", "/console/plan", "/console/plan/basic", "/console/apps",
  "/console/apps/{app}", "/console/apps/{test}/quickstart", "/console/apps/{app}/keys", "/console/apps/{app}/signing-keys",
  "/console/apps/{app}/origins", "/console/members", "/console/members/{member}", "/console/orgs", "/console/audit", "/console/audit?check=1",
  "/console/audit?action=key.rotated&actor=nobody", "/console/settings", "/console/account", "/console/account/totp", "/console/prove",
  "{invitation}", "/console/operator", "/operator", "/operator/orgs", "/operator/orgs?q=nobody", "/operator/orgs/{org}", "/operator/orgs/{second}",
  "/operator/plans", "/operator/nodes", "/operator/jobs", "/operator/announcements", "/operator/announcements/{announcement}", "/operator/audit", "/no-such-page",
];
/** The documentation, which needs no account. */
const DOCS = ["/docs", "/docs/protocol", "/docs/tokens", "/docs/errors", "/docs/manage", "/docs/operations"];
/** Statuses other than 200 of pages above. */
const STATUS = { "{invitation}": 403, "/no-such-page": 404 };

/** What stays Latin on a Chinese page: product nouns, units, formats, and words that this test enters. */
const LATIN = /TokenIM|OpenAPI|WebSocket|HTTP|UTC|CSV|JSON|API|REST|HTML|PEM|CPU|MiB|ID|Basic|Pro|Enterprise|Operator|English|JavaScript|React|Node\.js|Python|Java|Kotlin|Swift|curl|EdDSA|ES256|HS256|msg_sent|Chrome|Linux|Alice|Bob|key\.rotated|alice|bob|nobody|Without a scope|Scripts/g;
/** Addresses, ids and errors of mail servers. */
const GENERATED = /\S+@\S+|https?:\S+|[a-z]+_\w+…?|\S+-zh-CN-\d+|connection to .*|550 .*/gi;

/** Words of a page that are neither Chinese nor code nor given by people. */
async function untranslated(page) {
  const text = await page.evaluate(() => {
    const isText = (node) => !node.parentElement.closest("code, pre, .mono, .id, .name, .org, .crumbs, .side-title, .said, h1, option, body [lang], td a");
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) => (isText(node) ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT));
    const found = [];
    while (walker.nextNode()) found.push(walker.currentNode.textContent);
    return found.join("\n");
  });
  const own = GIVEN.reduce((rest, given) => rest.replaceAll(given, ""), text.replaceAll(GENERATED, ""));
  return own.replaceAll(LATIN, "").match(/[A-Za-z]{2,}/g) ?? [];
}

let server, browser, full;
before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  full = await seed(browser, server);
});
after(async () => { await browser?.close(); await server?.stop(); });

async function visit(options, steps) {
  const visitor = await Visitor.arrive(browser, server, options);
  // The quickstart's own sockets go to the same origin under another scheme.
  visitor.allowed.push(/^request to ws:\/\/127\.0\.0\.1/);
  const { theme, language, width } = options;
  const check = async (name) => {
    if (await visitor.page.locator("#live-state").count()) await visitor.waitForState("live");
    await visitor.check(`${name}-${theme}-${language}-${width}`);
    const words = language === "zh-CN" ? await untranslated(visitor.page) : [];
    if (words.length) visitor.problems.push(`${name} is not all Chinese: ${words.join(", ")}`);
  };
  try {
    await steps(visitor, check);
  } catch (error) {
    error.message += `\nat ${visitor.page.url()}\n${visitor.problems.join("\n")}\n${server.log.slice(-20).join("\n")}`;
    await visitor.context.close();
    throw error;
  }
  await visitor.leave();
}

/** A file's name for a page. */
const named = (path) => path.replaceAll(/[{}]/g, "").replace(/^\/(console\/)?/, "").replaceAll(/[^a-z0-9]+/gi, "-");

async function everyDress(t, steps) {
  const waiting = [...DRESSES];
  const next = async () => {
    for (let dress = waiting.shift(); dress; dress = waiting.shift()) {
      await t.test(Object.values(dress).join(" "), () => steps(dress));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

async function forms(visitor, check) {
  const keys = `/console/apps/${full.app}/keys`;
  await visitor.open(keys);
  await visitor.page.locator("tbody summary").first().click();
  await check("keys-fold");
  await visitor.submit(keys, { name: "Without a scope" }, 422);
  await check("keys-refused");
  await visitor.submit(keys, { "*": true });
  await check("key-shown");
  await visitor.reload(409);
  await check("key-shown-already");
  await visitor.open("/console/settings");
  await visitor.submit("/console/settings/management-keys", { key_name: "Scripts", role: "viewer" });
  await check("management-key-shown");
  await visitor.open("/console/account/totp");
  await visitor.submit("/console/account/totp/codes");
  await check("recovery-codes");
  await visitor.open(`/operator/orgs/${full.org}`);
  await visitor.page.locator("form[action$='/suspend']").scrollIntoViewIfNeeded();
  await visitor.open("/console/usage");
  await visitor.page.click(".menu summary");
  await check("menu");
  if (visitor.page.viewportSize().width <= 720) {
    await visitor.page.click(".menu summary");
    await visitor.page.click(".sheet summary");
    await check("sheet");
  }
}

test("pages of an org with a history", { concurrency: AT_ONCE, timeout: DRESS_MS_MAX * DRESSES.length }, (t) => everyDress(t, (dress) => visit({ ...dress, storage: full.storage }, async (visitor, check) => {
  for (const path of FULL) {
    await visitor.open(path.replaceAll(/\{(\w+)\}/g, (_, name) => full[name]), STATUS[path]);
    if (path.endsWith("/audit")) await visitor.page.locator("td details summary").first().click();
    await check(`full-${named(path)}`);
  }
  await forms(visitor, check);
})));

test("pages of somebody new, and of nobody", { concurrency: AT_ONCE, timeout: DRESS_MS_MAX * DRESSES.length }, (t) => everyDress(t, (dress) => visit(dress, async (visitor, check) => {
  const nobody = `nobody-${Object.values(dress).join("-")}@example.com`;
  for (const path of ["/sign-in", "/sign-up", "/forgot", full.invitation, ...DOCS, "/dev/mail"]) {
    await visitor.open(path);
    await check(`out-${named(path.split("?")[0])}`);
  }
  await visitor.press(visitor.page.locator("tbody a").first());
  await visitor.page.click(".fold summary");
  await check("out-mail");
  await visitor.open("/verify?token=none", 404);
  await check("out-verify-ended");
  await visitor.moveAway();
  await visitor.open("/forgot");
  await visitor.submit("/forgot", { email: nobody });
  await check("out-mail-sent");
  await visitor.open("/sign-in");
  await visitor.submit("/sign-in", { email: nobody, password: PASSWORD }, 401);
  await check("out-sign-in-refused");
  await visitor.open("/sign-up");
  await visitor.submit("/sign-up", { email: `${Object.values(dress).join("-")}@example.com`, new_password: "passwordpassword" }, 422);
  await check("out-sign-up-refused");
  await visitor.submit("/sign-up", { new_password: PASSWORD });
  const app = visitor.page.url().split("/apps/")[1].split("/")[0];
  assert.equal(await visitor.page.locator("html").getAttribute("lang"), dress.language);
  for (const path of NEW) {
    await visitor.open(path.replace("{app}", app));
    await check(`new-${named(path)}`);
  }
})));
