import { userInfo } from "node:os";

/** The account that runs this program: the customer of jobs from this machine. */
export function nameOfUser(): string {
  try {
    return userInfo().username || "local";
  } catch {
    // A container may run under a user id without a name.
    return "local";
  }
}
