import { userInfo } from "node:os";

/** The account that runs this program: jobs that come from its own machine are shown as computed for it. */
export function nameOfUser(): string {
  try {
    return userInfo().username || "local";
  } catch {
    // A container may run under a number that has no name.
    return "local";
  }
}
