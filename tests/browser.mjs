// Visits pages in headless Chromium and says what each did: `node browser.mjs FOLDER < visits.json > findings.json`.
// FOLDER has playwright-core and axe-core in node_modules. A visit is {url, scheme, keys, axe, pdf, shot}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const visits = JSON.parse(readFileSync(0, "utf8"));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],  // root has no sandbox in a container
});
const findings = [];
for (const visit of visits) findings.push(await see(visit));
await browser.close();
process.stdout.write(JSON.stringify(findings));

async function see(visit) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: visit.scheme ?? "light",
    bypassCSP: Boolean(visit.axe),  // axe is a script, which our pages forbid
  });
  const page = await context.newPage();
  const found = { said: [], requests: [], received: "", violations: [], pages: 0, text: "", status: 0 };
  page.on("console", (message) => found.said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => found.said.push(`error: ${error.message}`));
  page.on("request", (request) => found.requests.push(request.url()));
  page.on("websocket", (socket) => {
    found.requests.push(socket.url());
    socket.on("framereceived", ({ payload }) => { found.received += payload.toString(); });
  });
  const reply = await page.goto(visit.url);
  found.status = reply?.status() ?? 0;
  for (const { press, until } of visit.keys ?? []) await arrived(page, found, press, until);
  found.text = await page.innerText("body");
  found.height = await page.evaluate(() => document.documentElement.scrollHeight);
  if (visit.tops) found.tops = await page.evaluate(tops, visit.tops);
  if (visit.shot) await page.screenshot({ path: visit.shot });
  if (visit.axe) found.violations = await violations(page);
  if (visit.pdf) found.pages = (await page.pdf({ format: "A4" })).toString("latin1").match(/\/Type \/Page\b/g).length;
  await context.close();
  return found;
}

// Where the first element with each of these texts begins, in pixels from the top.
function tops(texts) {
  const found = [...document.querySelectorAll("h1, h2, p")];
  return texts.map((text) => found.find((each) => each.textContent.includes(text))?.getBoundingClientRect().top);
}

// Presses a key, if there is one, until a text comes: the first may come before the page listens.
async function arrived(page, found, press, text) {
  for (let tries = 0; !found.received.includes(text); tries += 1) {
    if (tries === 30) throw new Error(`${JSON.stringify(text)} never came; got ${found.received.slice(-2000)}`);
    if (press) await page.keyboard.press(press);
    for (let waited = 0; waited < 1_000 && !found.received.includes(text); waited += 50) await page.waitForTimeout(50);
  }
}

async function violations(page) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.length} × ${nodes[0].html.slice(0, 200)}`);
}
