import { launch, type Browser } from "puppeteer";
import { findBrowser } from "../../../scripts/find-browser.js";
import { temporaryDirectory } from "./processes.ts";

/** A name that resolves to this machine and is no secure context, as a lab's server under plain HTTP. */
export const labHost = "lab.test";

/** Starts the system's Chromium with a profile that nobody used before. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error("No Chrome or Chromium found; set CHROME_PATH.");
  return launch({
    executablePath,
    userDataDir: await temporaryDirectory(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${labHost} 127.0.0.1`,
    ],
  });
}
