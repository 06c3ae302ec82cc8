import { define } from "./define.ts";
import { hasRelaxedSimd } from "./instructions.ts";
import { WebAssembly } from "./web-assembly.ts";

/**
 * Has `WebAssembly` refuse modules with relaxed SIMD, whose instructions round as the processor likes and which WebKit does not have
 * (SPEC.md [BITS-4]).
 */
export function refuseRelaxedSimd(): void {
  const { compile, instantiate, Module } = WebAssembly;
  const checked = <Source>(source: Source): Source => {
    const bytes = bytesOf(source);
    if (bytes && hasRelaxedSimd(bytes))
      throw new WebAssembly.CompileError(
        'The module uses relaxed SIMD, which gives other bits on other machines; expected plain SIMD, or a job with math: "native".',
      );
    return source;
  };
  const CheckedModule = new Proxy(Module, {
    construct: (target, [source, ...rest]: unknown[], newTarget: NewableFunction) =>
      Reflect.construct(target, [checked(source), ...rest], newTarget) as object,
  });
  define(Module.prototype, "constructor", CheckedModule);
  Object.assign(WebAssembly, {
    compile: async (source: unknown, options?: unknown) => compile(checked(source), options),
    instantiate: async (source: unknown, imports?: unknown, options?: unknown) =>
      instantiate(checked(source), imports, options),
    Module: CheckedModule,
  });
}

function bytesOf(source: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return source instanceof ArrayBuffer ? new Uint8Array(source) : undefined;
}
