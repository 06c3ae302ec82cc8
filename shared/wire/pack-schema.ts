import * as v from "valibot";
import { isColumn, isDurationColumn, isPack } from "./column-pack.ts";
import { limits } from "../limits.ts";

/**
 * A column of whole numbers from `least` to `most`. A loop checks them, because a schema for each number costs more than the
 * number.
 */
export const wholeNumbers = (least: number, most: number) =>
  column(
    (numbers) => isColumn(numbers, numbers.length, least, most),
    `a list of whole numbers from ${least} to ${most}`,
  );

/** A column of durations in ms. */
export const durations = column(
  (numbers) => isDurationColumn(numbers, numbers.length),
  "a list of finite numbers from 0 on",
);

function column(holds: (numbers: readonly unknown[]) => boolean, expected: string) {
  return v.pipe(
    v.custom<readonly number[]>((value) => Array.isArray(value) && holds(value), `expected ${expected}`),
    v.description(expected),
  );
}

interface Fitting {
  readonly sizes: readonly number[];
  readonly bytes: Uint8Array;
  readonly extras?: readonly { readonly at: number }[] | undefined;
}

/**
 * The schema of a `ColumnPack` on the wire: `columns` of numbers, the values, `extra` properties of few tasks, at most
 * `maxTasks` tasks with values of at most `maxBytes`. Columns are checked as a whole, because an object schema costs 2 µs a task.
 */
export function packSchema<const Columns extends v.ObjectEntries, const Extra extends v.ObjectEntries>(
  columns: Columns,
  extra: Extra,
  maxTasks: number = limits.tasksPerMessage,
  maxBytes: number = limits.inlineValueBytes,
) {
  const at = v.pipe(v.number(), v.integer(), v.minValue(0));
  const extras = v.optional(v.pipe(v.array(v.strictObject({ at, ...extra })), v.maxLength(maxTasks)));
  return v.pipe(
    v.strictObject({
      ...columns,
      sizes: column(() => true, "a list of sizes in bytes"),
      bytes: v.custom<Uint8Array>((bytes) => bytes instanceof Uint8Array, "expected bytes"),
      extras,
    }),
    v.check(
      (pack) => fits(pack as Fitting, maxTasks, maxBytes),
      `expected at most ${maxTasks} tasks in columns of one length, sizes of at most ${maxBytes} that sum up to the bytes, and extras in the order of the tasks`,
    ),
  );
}

function fits(pack: Fitting, maxTasks: number, maxBytes: number): boolean {
  const { sizes, bytes, extras = [] } = pack;
  const count = sizes.length;
  if (count > maxTasks || !isPack(sizes, bytes, count, maxBytes)) return false;
  for (const [name, column] of Object.entries(pack))
    if (name !== "extras" && Array.isArray(column) && column.length !== count) return false;
  return extras.every(({ at }, i) => at < count && (i === 0 || at > extras[i - 1]!.at));
}
