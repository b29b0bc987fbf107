// The whole story, once with JavaScript and once without, side by side.
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { Server } from "./server.mjs";
import { STEPS, Story } from "./story.mjs";

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function tell(javaScript) {
  const server = await Server.start();
  try {
    const story = new Story(server, browser, javaScript);
    for (const step of STEPS) {
      try {
        await story[step]();
      } catch (error) {
        const seen = story.visitors.map((visitor) => `at ${visitor.page.url()} ${visitor.problems.join(" ")}`);
        error.message = `${step}: ${error.message}\n${seen.join("\n")}\n${server.log.slice(-20).join("\n")}`;
        throw error;
      }
    }
    await story.leave();
  } finally {
    await server.stop();
  }
}

test("from sign-up to the operator's suspension", { concurrency: 2, timeout: 280_000 }, async (t) => {
  await Promise.all([true, false].map((javaScript) => t.test(javaScript ? "with JavaScript" : "without JavaScript", () => tell(javaScript))));
});
