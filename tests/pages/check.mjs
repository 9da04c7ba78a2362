// Opens pages in Chromium and says what axe-core and html-validate find in them.
//
// node check.mjs NODE_MODULES CHROMIUM PAGE… prints one line per finding and exits 1 if there is one. NODE_MODULES is a
// folder with axe-core, playwright-core and html-validate.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

const [modules, chromium, ...pages] = process.argv.slice(2);
const require = createRequire(resolve(modules) + "/");
const playwright = require("playwright-core");
const { HtmlValidate } = require("html-validate");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const validator = new HtmlValidate({ extends: ["html-validate:standard"] });
const sights = [
  { name: "phone, light", width: 390, height: 844, colorScheme: "light" },
  { name: "desktop, dark", width: 1280, height: 900, colorScheme: "dark" },
];

let findings = 0;
const tell = (line) => {
  findings += 1;
  console.log(line);
};

const browser = await playwright.chromium.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"],
});
for (const page of pages) {
  const report = await validator.validateString(readFileSync(page, "utf8"));
  for (const message of report.results.flatMap((result) => result.messages)) {
    tell(`${page}: html: ${message.ruleId} at ${message.line}:${message.column}: ${message.message}`);
  }
  for (const { name, width, height, colorScheme } of sights) {
    // The page's own policy allows no foreign script, not even a checker's.
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, bypassCSP: true });
    const tab = await context.newPage();
    tab.on("request", (request) => {
      if (!/^(file|data|about|blob):/.test(request.url())) tell(`${page}: fetches ${request.url()}`);
    });
    tab.on("dialog", async (dialog) => {
      tell(`${page}: a script of a name ran: ${dialog.message()}`);
      await dialog.dismiss();
    });
    tab.on("pageerror", (error) => tell(`${page}: script: ${error.message}`));
    await tab.goto(pathToFileURL(resolve(page)).href);
    const wider = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wider > 1) tell(`${page}: ${name}: ${wider} pixels wider than the screen`);
    await tab.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
    await tab.evaluate(axe);
    const found = await tab.evaluate(() => window.axe.run(document));
    for (const violation of found.violations) {
      const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ");
      tell(`${page}: ${name}: ${violation.id} (${violation.impact}): ${violation.help}: ${where}`);
    }
    await context.close();
  }
}
await browser.close();
process.exit(findings > 0 ? 1 : 0);
