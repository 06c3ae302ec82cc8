// Plain JavaScript: scripts/prepare.js uses it under any Node of the machine.
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const commands = [
  "google-chrome-stable",
  "google-chrome",
  "chromium",
  "chromium-browser",
  "chrome",
  "microsoft-edge",
];

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return commands.flatMap((command) => folders.map((folder) => join(folder, command)));
}

function inUsualPlaces() {
  if (process.platform === "darwin")
    return ["Google Chrome", "Chromium", "Microsoft Edge"].flatMap((name) =>
      ["/Applications", join(homedir(), "Applications")].map((folder) =>
        join(folder, `${name}.app`, "Contents", "MacOS", name),
      ),
    );
  if (process.platform !== "win32") return [];
  const roots = [process.env["PROGRAMFILES"], process.env["PROGRAMFILES(X86)"], process.env["LOCALAPPDATA"]];
  return roots
    .filter((root) => root !== undefined)
    .flatMap((root) => [
      join(root, "Google", "Chrome", "Application", "chrome.exe"),
      join(root, "Chromium", "Application", "chrome.exe"),
      join(root, "Microsoft", "Edge", "Application", "msedge.exe"),
    ]);
}

/** Folders of `puppeteer browsers install chrome`, newest version first. */
function inPuppeteersCache() {
  const folder = join(process.env["PUPPETEER_CACHE_DIR"] ?? join(homedir(), ".cache", "puppeteer"), "chrome");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .reverse()
    .flatMap((version) => [
      join(folder, version, "chrome-linux64", "chrome"),
      join(folder, version, "chrome-win64", "chrome.exe"),
      ...["arm64", "x64"].map((cpu) =>
        join(
          folder,
          version,
          `chrome-mac-${cpu}`,
          "Google Chrome for Testing.app",
          "Contents",
          "MacOS",
          "Google Chrome for Testing",
        ),
      ),
    ]);
}

/** See find-browser.d.ts. @returns {string | undefined} */
export function findBrowser() {
  const named = process.env["CHROME_PATH"];
  if (named) return isExecutable(named) ? named : undefined;
  return [...onPath(), ...inUsualPlaces(), ...inPuppeteersCache()].find(isExecutable);
}
