interface WebAssemblyMembers {
  readonly CompileError: new (message: string) => Error;
  readonly Module: (new (source: unknown) => object) & { readonly prototype: object };
  readonly Instance: new (module: object) => { readonly exports: object };
  readonly compile: (source: unknown, options?: unknown) => Promise<unknown>;
  readonly instantiate: (source: unknown, imports?: unknown, options?: unknown) => Promise<unknown>;
}

/** The global `WebAssembly`, which the types of the language and of Node leave out. */
export const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyMembers };
