import { registerHooks } from "node:module";

/**
 * Loaded before a program of `manyhands run`: `import … from "manyhands"` finds this SDK when the program's own folder
 * has none installed.
 */
const sdk = import.meta.resolve("manyhands");

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "manyhands") return next(specifier, context);
    try {
      return next(specifier, context);
    } catch {
      return { url: sdk, shortCircuit: true };
    }
  },
});
