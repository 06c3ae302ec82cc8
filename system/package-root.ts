import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";

/** Folder of this package: the clone, or the folder in node_modules. Pages and data are in the same places of both. */
export const packageRoot = dirname(findPackageJSON(import.meta.url) ?? import.meta.dirname);

/** The program behind the command `manyhands`. */
export const launcherFile = join(packageRoot, "bin", "manyhands.js");
