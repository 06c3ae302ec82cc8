import { PlatformError } from "../../errors.ts";

/** Code that a page loads when a task first needs it. @throws PlatformError UNREACHABLE, so that the transfer is tried again */
export async function loaded<Module>(code: Promise<Module>): Promise<Module> {
  try {
    return await code;
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `Code of this page could not be loaded: ${String(error)}`, error);
  }
}
