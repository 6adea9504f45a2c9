// Opens a page in Chromium, lets axe judge it on screen, in the dark and in print, prints it on A4
// and takes pictures. Prints as JSON what axe found and every address that was asked for.
//
// node page.mjs NODE_MODULES PAGE OUT

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";

const [modules, page_path, out] = process.argv.slice(2);
const require = createRequire(join(modules, "oracles.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(join(modules, "axe-core/axe.min.js"), "utf8");
const browser = process.env.PATH.split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
// A browser that hangs is a failure, not a wait.
setTimeout(() => process.exit(3), 120_000).unref();

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const wide = { width: 1280, height: 900 };
const profile = mkdtempSync(join(tmpdir(), "covenant-page-"));
const requests = [];
const judged = [];
try {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: browser,
    headless: true,
    args: flags,
    viewport: wide,
  });
  const page = await context.newPage();
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => judged.push({ way: "script", found: [String(error)] }));
  await page.goto(pathToFileURL(page_path).href);
  const shot = (name, options) => page.screenshot({ path: join(out, name), ...options });

  // brings the drawing with most observations to the top; false when there is none
  const fullest = () =>
    page.evaluate(() => {
      const rows = (figure) => figure.querySelectorAll("path.observed, path.missed").length;
      const figures = [...document.querySelectorAll("figure")];
      const most = figures.sort((a, b) => rows(b) - rows(a))[0];
      most?.scrollIntoView();
      return most !== undefined;
    });

  const ways = [
    ["light", "screen", wide],
    ["dark", "screen", wide],
    ["light", "screen", { width: 360, height: 800 }],
    ["light", "print", { width: 794, height: 1123 }],
  ];
  for (const [colorScheme, media, size] of ways) {
    const way = `${colorScheme}-${media}-${size.width}`;
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme, media });
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document));
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    const found = violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
    judged.push({ way, found, overflow, rules: passes.length });
    await shot(`${way}.png`);
    if (await fullest()) await shot(`${way}-timeline.png`);
    const row = page.locator(".clauses tbody tr").nth(5);
    if ((await row.count()) > 0) {
      await row.scrollIntoViewIfNeeded();
      await shot(`${way}-clauses.png`);
    }
    await page.evaluate(() => globalThis.scrollTo(0, 0));
  }

  await page.setViewportSize(wide);
  await page.emulateMedia({ colorScheme: "light", media: "screen" });
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setEmulatedVisionDeficiency", { type: "achromatopsia" });
  await shot("grey.png");
  if (await fullest()) await shot("grey-timeline.png");
  await session.send("Emulation.setEmulatedVisionDeficiency", { type: "none" });
  await page.emulateMedia({ colorScheme: "light", media: null });
  await page.pdf({ path: join(out, "a4.pdf"), format: "A4", preferCSSPageSize: true });
  await context.close();
} finally {
  rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify({ requests, judged }));
