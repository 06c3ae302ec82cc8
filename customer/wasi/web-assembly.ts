/** The part of WebAssembly's interface that programs need; no library of types has it without those of a browser. */
interface WebAssemblyObject {
  compile(bytes: Uint8Array): Promise<Module>;
  readonly Module: {
    imports(module: Module): readonly { module: string; name: string; kind: string }[];
    exports(module: Module): readonly { name: string; kind: string }[];
  };
  /** JavaScript Promise Integration, by which a module waits for promises; not in every engine. */
  readonly Suspending?: new (call: (...values: never[]) => unknown) => unknown;
  readonly promising?: (call: () => void) => () => Promise<void>;
  readonly Instance: new (module: Module, imports: object) => { readonly exports: Record<string, unknown> };
}

/** A compiled module. */
export interface Module {
  readonly __module?: never;
}

/** Memory of an instance. Its buffer is another one after each growth. */
export interface Memory {
  readonly buffer: ArrayBuffer;
}

export const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyObject };
