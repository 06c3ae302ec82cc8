import { Deserializer, Serializer } from "node:v8";

/**
 * A `structuredClone` for kernels: language values only, through V8's own serialiser. Node's function clones platform objects
 * by loading any internal module that the object names, which is a way out of the sandbox.
 */
export function makeStructuredClone(): (value: unknown, options?: { transfer?: ArrayBuffer[] }) => unknown {
  const detach = Function.prototype.call.bind(Reflect.get(ArrayBuffer.prototype, "transfer")) as (
    buffer: ArrayBuffer,
  ) => void;
  return (value, options) => {
    let copy: unknown;
    try {
      copy = cloneOf(value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : "the value cannot be cloned";
      throw new DOMException(reason, "DataCloneError");
    }
    for (const buffer of options?.transfer ?? []) detach(buffer);
    return copy;
  };
}

/**
 * The arrays of `serialize` and `deserialize` are views of the message, or of Node's pool of small buffers, so they are not
 * used.
 */
function cloneOf(value: unknown): unknown {
  const serializer = new Serializer();
  serializer.writeHeader();
  serializer.writeValue(value);
  const deserializer = new Deserializer(serializer.releaseBuffer());
  deserializer.readHeader();
  return deserializer.readValue();
}
