/**
 * Finds a Chrome or Chromium on this machine: that of `CHROME_PATH` when it is set, otherwise the first on the PATH, in the
 * usual places of the system, or in Puppeteer's cache.
 * @returns path of the executable, or undefined
 */
export function findBrowser(): string | undefined;
