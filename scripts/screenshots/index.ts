/**
 * Takes screenshots of the pages from real servers, real browsers and real work, after `npm run build`:
 * `node scripts/screenshots/index.ts` those of the documentation, docs/screenshots/*.png, in Chromium;
 * `node scripts/screenshots/index.ts --all DIRECTORY` every state of the pages in Chromium, Firefox and WebKit, where these are installed, and
 * names the pages that are wider than their screen.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { startServer } from "../../server/server.ts";
import type { Tab } from "../../test/support/browsers/browser.ts";
import { engines, type Engine } from "../../test/support/browsers/engines.ts";
import { launchEngine } from "../../test/support/browsers/launch-engine.ts";
import { documented, scenes, type Scene } from "./scenes.ts";

const documentation = join(import.meta.dirname, "..", "..", "docs", "screenshots");
const devices = {
  desktop: [1280, 800],
  phone: [390, 844],
  wall: [1920, 1080],
} as const;
type Device = keyof typeof devices;
/** The most of a page that a picture shows, in pixels from its top. */
const tallest = 4000;

/** Takes the pictures of a scene at a server of its own. */
async function takeScene(
  scene: Scene,
  engine: Engine,
  dark: boolean,
  directory: string,
  sizes: readonly Device[],
  whole: boolean,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const data = await mkdtemp(join(tmpdir(), "manyhands-screenshots-"));
  const server = await startServer({ port: 0, dataDirectory: data, logLevel: "warn", ...scene.options });
  const browser = await launchEngine(engine, { dark, language: scene.language });
  const take = async (tab: Tab, state: string): Promise<void> => {
    for (const device of sizes) {
      await tab.show();
      const [width, height] = devices[device];
      await tab.resize(width, height);
      // The page draws the chart anew for another width, and bars glide for 300 ms.
      await tab.evaluate("new Promise((done) => setTimeout(done, 400))");
      const needed = await tab.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
      if (needed > 0) console.log(`${engine}: ${state} is ${needed} px wider than the ${device}`);
      // A window of WebKit is no larger than its display.
      if (whole && engine !== "webkit") {
        const full = await tab.evaluate<number>("document.documentElement.scrollHeight");
        await tab.resize(width, Math.min(tallest, Math.max(height, full)));
      }
      await tab.screenshot(
        join(directory, `${state}-${device}-${dark ? "dark" : "light"}.png`) as `${string}.png`,
      );
    }
  };
  try {
    await scene.prepare?.(server);
    await scene.show(server, { browser, take });
  } finally {
    await browser.close();
    await server.close();
    await rm(data, { recursive: true, force: true });
  }
}

const program = new Command("screenshots")
  .option("--all <directory>", "every state in every browser")
  .option("--only <scene>", "one scene of all");
const { all, only } = program.parse().opts<{ all?: string; only?: string }>();
if (all === undefined)
  for (const dark of [false, true])
    await takeScene(documented, "chromium", dark, documentation, ["desktop", "phone"], false);
else
  for (const engine of (Object.keys(engines) as Engine[]).filter((name) => engines[name]))
    for (const dark of [false, true])
      for (const [name, scene] of Object.entries(scenes)) {
        // WebKit speaks the language of the system.
        if ((engine === "webkit" && scene.language) || (only !== undefined && only !== name)) continue;
        await takeScene(scene, engine, dark, join(all, engine), ["desktop", "phone", "wall"], true);
      }
