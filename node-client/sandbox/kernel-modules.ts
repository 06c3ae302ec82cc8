import { registerHooks } from "node:module";

let expected: { readonly url: string; readonly source: Uint8Array } | undefined;

/**
 * Refuses every later import (static, dynamic, of built-ins, files, `data:` and others), except the import of {@link
 * importKernel}. Call it after the sandbox's own modules are loaded.
 */
export function refuseImports(): void {
  registerHooks({
    resolve(specifier, context) {
      // Only this module may import the address; a kernel that imports its own address has another parent.
      if (specifier === expected?.url && context.parentURL === import.meta.url)
        return { url: specifier, format: "module", shortCircuit: true };
      throw new Error(
        `A kernel cannot import ${JSON.stringify(specifier)}: a kernel is one module. Bundle what it needs into it, or submit it by path and let Manyhands do that.`,
      );
    },
    load(url) {
      if (url !== expected?.url) throw new Error(`Nothing to load at ${url}.`);
      return { format: "module", source: expected.source, shortCircuit: true };
    },
  });
}

/** Evaluates a kernel's module; `kernel:<start of its SHA-256>.js` is its address in stack traces. */
export async function importKernel(
  source: Uint8Array,
  sha256: string,
): Promise<Readonly<Record<string, unknown>>> {
  const url = `kernel:${sha256.slice(0, 12)}.js`;
  expected = { url, source };
  try {
    return (await import(url)) as Record<string, unknown>;
  } finally {
    expected = undefined;
  }
}
