/** End of the name of a test: the reason for which the test is skipped, or nothing where the test runs. */
export function skipped(isSkipped: boolean, reason: string): string {
  return isSkipped ? ` (skipped: ${reason})` : "";
}

/** Whether the system is Linux, and the end of the names of tests that need Linux. */
export const isLinux = process.platform === "linux";
export const unlessLinux = skipped(!isLinux, "the system is not Linux");

/** Whether the system is Windows, and the end of the names of tests that need another system. */
export const isWindows = process.platform === "win32";
export const onWindows = skipped(isWindows, "the system is Windows");
