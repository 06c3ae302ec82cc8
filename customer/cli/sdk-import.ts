import { enableCompileCache, registerHooks } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { makeDirectory } from "../../system/make-directory.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import { packageRoot } from "../../system/package-root.ts";
import { tellUncaughtRefusals } from "./uncaught.ts";

// `manyhands run` loads this module before the program. Compiled code is kept in the launcher's directory: the SDK loads
// in 40 ms instead of 110.
const code = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "manyhands", "code");
try {
  makeDirectory(code, 0o700);
  enableCompileCache(code);
} catch {
  // Without kept code the program only starts later.
}

tellUncaughtRefusals();

/** Module that `import … from "manyhands"` finds when the program's own folder has no other SDK. */
const sdk = moduleBeside(import.meta.url, "../../parallel/index").href;
const own = pathToFileURL(packageRoot).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "manyhands") return next(specifier, context);
    try {
      const found = next(specifier, context);
      // Within a clone Node finds the package as it was last built, not the sources.
      if (!found.url.startsWith(`${own}/`)) return found;
    } catch {
      // The program's folder has no SDK of its own.
    }
    return { url: sdk, shortCircuit: true };
  },
});
