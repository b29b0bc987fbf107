// Two orgs with a history: apps, keys, members, changes, hours of use. All of it comes through the front door, but for time
// that has passed and jobs that were given up, which are written into the database.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { Authenticator } from "./authenticator.mjs";
import { Visitor } from "./browser.mjs";
import { EMAIL, PASSWORD, run, until } from "./server.mjs";

const MEMBERS = { "grace.hopper": "admin", "li.wei": "developer", "amara.okafor": "developer", "tomas.novak": "billing", "yuki.tanaka": "viewer", "maria.garcia-lopez": "developer", "sven": "viewer" };
const INVITED = { "a.very.long.address.of.somebody.in.procurement": "viewer", "priya.sharma": "developer" };
const HOST = "@northwind.example";
const KEYS = ["Backend production", "Backend staging", "Nightly export", "Billing sync", "Moderation bot", "Support desk", "Mobile gateway", "Analytics", "Old monolith", "CI pipeline", "Partner Contoso", "订单服务"];
const RENAMES = 24;
const [APP, TEST_APP, SIGNING, SIGNING_AT_HOME] = ["Customer support for the northern warehouses", "Playground", "Tokens of the shop", "Signed at home"];
const [WHY, SUSPENDED] = ["Set up for a demonstration", "The invoice of October is not paid"];
const REASON = { "x-reason": WHY };
/** What people wrote, in whatever language. */
export const GIVEN = [...KEYS, APP, TEST_APP, SIGNING, SIGNING_AT_HOME, WHY, SUSPENDED, "Northwind Trading", "Storefront chat"];

/** Hours of use in the past, keys used long ago, and two jobs that were given up. */
const PAST = `
import sqlite3, sys, time, uuid
db = sqlite3.connect(sys.argv[1], timeout=20)
hour = int(time.time()) // 3600 * 3600000
for number, (app,) in enumerate(db.execute("SELECT id FROM app ORDER BY id").fetchall()):
    for back in range(1, 60):
        units = (37 * (back * (number + 3) % 11) + 5 * back % 40) * (4 if 8 <= (back + 3) % 24 <= 17 else 1)
        if back != 5 and units:
            db.execute("INSERT INTO usage_bucket VALUES (?, 'msg_sent', ?, ?)", (app, hour - back * 3600000, units))
for number, (key,) in enumerate(db.execute("SELECT id FROM api_key WHERE revoked_ms IS NULL ORDER BY id").fetchall()):
    back = [0, 1, 3, 45, None][number % 5]
    if back is not None:
        db.execute("UPDATE api_key SET last_used_ms = ?, last_used_from = '203.0.113.7', created_ms = created_ms - ? WHERE id = ?", (hour - back * 86400000, (back + 9) * 86400000, key))
for number, error in enumerate(["550 5.1.1 mailbox unavailable: nobody@northwind.example", "connection to mail.northwind.example:587 timed out after 30 s"]):
    db.execute("INSERT INTO job (id, org_id, kind, dedup_key, sealed_payload, run_at_ms, attempts, last_error, created_ms, dead_ms) VALUES (?, (SELECT min(id) FROM org), 'mail', ?, x'00', 0, 12, ?, ?, ?)",
        (uuid.uuid4().bytes, "seed%d" % number, error, hour - 90000000, hour - 3600000 * (number + 1)))
db.commit()
`;

const decoded = (html) => html.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&");
const hidden = (html, name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)[1];

/** Somebody signs up behind an invitation's link and accepts. */
async function enrol(browser, server, link, email) {
  const context = await browser.newContext();
  const { request } = context;
  const path = link.slice(server.base.length);
  const send = async (to, form) => (await request.post(server.base + to, { form, headers: { origin: server.base } })).text();
  const page = await (await request.get(`${server.base}/sign-up?next=${encodeURIComponent(path)}`)).text();
  const invitation = await send("/sign-up", { csrf: hidden(page, "csrf"), email, new_password: PASSWORD, next: path });
  await send("/invitations/accept", { csrf: hidden(invitation, "csrf"), nonce: hidden(invitation, "nonce"), token: new URL(link).searchParams.get("token") });
  await context.close();
}

/** The links of all invitations that were mailed, by address. */
async function links(server) {
  const list = await (await fetch(`${server.base}/dev/mail`)).text();
  const mails = await Promise.all([...new Set(list.match(/\/dev\/mail\/[^"?]+/g))].map(async (path) => decoded(await (await fetch(server.base + path)).text())));
  return Object.fromEntries(mails.flatMap((mail) => {
    const link = /http[^"\s<]+\/invitations\/accept\?token=[^"\s<]+/.exec(mail);
    return link ? [[/To: (\S+@[^\s<]+)/.exec(mail)[1], link[0]]] : [];
  }));
}

async function past(server) {
  const child = spawn("python3", ["-c", PAST, join(server.data, "tokenim.db")], { stdio: "inherit" });
  await new Promise((resolve, reject) => child.once("exit", (code) => (code ? reject(new Error(`python3 ended with ${code}`)) : resolve())));
}

/** The owner's browser: signed in, with a second factor, and in the operator area. */
async function signedIn(browser, server) {
  const visitor = await Visitor.arrive(browser, server, { javaScript: false });
  await visitor.signIn();
  await visitor.open("/console/account/totp");
  await visitor.submit("/console/account/totp/begin");
  const authenticator = new Authenticator(await visitor.page.locator("main p > code").innerText());
  await visitor.submit("/console/account/totp", { code: authenticator.code() });
  await visitor.open("/console/operator");
  await visitor.submit("/console/operator", { password: PASSWORD, code: authenticator.code() });
  // Language and theme are the dress's, not those of this visit.
  const storage = await visitor.context.storageState();
  storage.cookies = storage.cookies.filter(({ httpOnly, name }) => httpOnly && !/lang|theme/.test(name));
  await visitor.leave();
  return storage;
}

/** Fills the server. Returns what pages are named by, and the owner's cookies. */
export async function seed(browser, server) {
  const operator = JSON.parse(await run(["admin", "operator-key", "create", "--name", "seed", "--json", "--data", server.data], "", server.env)).secret;
  const org = (await server.call("GET", "/v1/manage/orgs?q=Northwind", null, operator)).items[0].id;
  const manage = (method, path, body) => server.call(method, `/v1/manage/${path}${path.includes("?") ? "&" : "?"}org=${org}`, body, operator, REASON);
  await manage("PUT", "subscription", { plan: "pro" });
  const app = (await manage("POST", "apps", { name: APP, mode: "live" })).id;
  const test = (await manage("POST", "apps", { name: TEST_APP, mode: "test" })).id;
  await manage("POST", "signing-keys", { app: test, name: "Tries", algorithm: "HS256" });
  const keys = [];
  for (const [at, name] of KEYS.entries()) {
    const scopes = [["*"], ["messages:read", "messages:write", "tokens:create"], ["usage:read"]][at % 3];
    const ends = at % 4 === 3 ? { expires_at: new Date(Date.now() + 40 * 86_400_000).toISOString() } : {};
    keys.push((await manage("POST", "keys", { app, name, scopes, ...ends })).id);
  }
  await manage("POST", `keys/${keys[1]}/rotate`, { grace_s: 86_400 });
  await manage("POST", `keys/${keys[8]}/revoke`, {});
  const { publicKey } = generateKeyPairSync("ed25519", { publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });
  const signing = (await manage("POST", "signing-keys", { app, name: SIGNING, algorithm: "HS256" })).id;
  await manage("POST", "signing-keys", { app, name: SIGNING_AT_HOME, algorithm: "EdDSA", public_key: publicKey });
  await manage("POST", `signing-keys/${signing}/rotate`, { grace_s: 3_600 });
  for (const origin of ["https://shop.northwind.example", "https://www.northwind.example", "http://localhost:3000"]) await manage("POST", `apps/${app}/origins`, { origin });
  for (let count = 0; count < RENAMES; count += 1) await manage("PATCH", `apps/${test}`, { name: count % 2 ? TEST_APP : "Sandbox" });
  for (const [name, role] of Object.entries({ ...MEMBERS, ...INVITED })) await manage("POST", "invitations", { email: name + HOST, role });
  const found = await until("every invitation is mailed", async () => {
    const mailed = await links(server);
    return Object.keys(mailed).length === Object.keys({ ...MEMBERS, ...INVITED }).length && mailed;
  });
  for (const name of Object.keys(MEMBERS)) await enrol(browser, server, found[name + HOST], name + HOST);
  const second = (await server.call("POST", "/v1/manage/orgs", { name: "Contoso 物流", owner_email: EMAIL }, operator, REASON)).id;
  await server.call("POST", `/v1/manage/orgs/${second}/suspend`, {}, operator, { "x-reason": SUSPENDED });
  const announce = (body) => server.call("POST", "/v1/manage/announcements", { ...body, ends_at: new Date(Date.now() + 86_400_000).toISOString() }, operator, REASON);
  await announce({ severity: "info", title_en: "New: announcements", title_zh: "新功能：公告", text_en: "They stand here.\nPut them away once read.", text_zh: "公告显示在这里。\n读过后可以收起。" });
  const announcement = (await announce({ severity: "warning", title_en: "Maintenance on Sunday", title_zh: "周日维护", text_en: "From 10:00 to 11:00 UTC.\nMessages are kept.", text_zh: "10:00 至 11:00（UTC）。\n消息不会丢失。" })).id;
  await manage("POST", "management-keys", { name: "Terraform", role: "developer" });
  await manage("POST", "management-keys", { name: "Payroll export", role: "viewer", expires_at: new Date(Date.now() + 86_400_000).toISOString() });
  await server.send(12);
  await past(server);
  const member = (await manage("GET", "members?limit=200")).items.find(({ role }) => role === "developer").account;
  return { org, app, test, member, second, announcement, invitation: found[Object.keys(INVITED)[1] + HOST].slice(server.base.length), storage: await signedIn(browser, server) };
}
