// The quickstart's programs for the browser, copied from the page and opened as a developer would: the plain page as a file, React's component
// in what Vite's template puts around it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { Visitor, launch } from "./browser.mjs";
import { Server } from "./server.mjs";

const MAIN = `
  import { StrictMode } from "react";
  import { createRoot } from "react-dom/client";
  import App from "./App.jsx";
  createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
`;

let server, browser, folder;
before(async () => { [server, browser, folder] = await Promise.all([Server.start(), launch(), mkdtemp(join(tmpdir(), "tokenim-examples-"))]); });
after(async () => {
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The page's program, told to talk and listened to; `open` makes a page of its text. */
async function runs(code, name, open) {
  const visitor = await Visitor.arrive(browser, server);
  visitor.allowed.push(/^request to (ws|file):/);
  await visitor.signIn();
  const path = `/console/apps/${server.tenant.app}/quickstart`;
  await visitor.goto(`${path}?code=${code}`);
  const file = await open(await visitor.page.locator("#example").textContent());

  const page = await visitor.context.newPage();
  page.on("pageerror", (error) => visitor.problems.push(`page error: ${error.message}`));
  await page.goto(pathToFileURL(file).href);
  const line = (text) => page.locator("li", { hasText: text }).waitFor();
  await line(new RegExp(`^alice: Hello from ${name} \\(stored as seq \\d+\\)$`));
  await server.call("POST", "/v1/conversations/quickstart/messages", { sender: "bob", client_msg_id: `to-${code}`, kind: "text", body: { text: `Hello, ${name}` } });
  await line(new RegExp(`^bob: Hello, ${name}$`));
  await page.locator("input").fill("How are you?");
  await page.locator("button").click();
  await line(/^alice: How are you\? \(stored/);
  assert.equal(await page.locator("li", { hasText: "Hello from" }).count(), 1, "said once");

  await visitor.goto(path);
  const row = visitor.page.locator("#checkpoints tbody tr", { has: visitor.page.getByText(code, { exact: true }) });
  assert.equal(await row.locator(".step.done").count(), 3);
  await visitor.leave();
}

test("the page in JavaScript", () => runs("javascript", "JavaScript", async (text) => {
  const file = join(folder, "page.html");
  await writeFile(file, text);
  return file;
}));

test("the component in React", () => runs("react", "React", async (text) => {
  await writeFile(join(folder, "App.jsx"), text);
  const { outputFiles } = await build({
    stdin: { contents: MAIN, resolveDir: folder, loader: "jsx" }, nodePaths: [new URL("node_modules", import.meta.url).pathname],
    bundle: true, write: false, jsx: "automatic", define: { "process.env.NODE_ENV": '"development"' },
  });
  const file = join(folder, "index.html");
  await writeFile(join(folder, "main.js"), outputFiles[0].text);
  await writeFile(file, '<!doctype html><meta charset="utf-8"><title>Chat</title><div id="root"></div><script src="main.js" defer></script>');
  return file;
}));
