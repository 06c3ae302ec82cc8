import { recordLimits } from "../../shared/limits.ts";
import { failurePattern } from "../../shared/wire/failure-pattern.ts";
import type { FailureGroup, FailureGroups, TaskFailure } from "../../shared/wire/rest/failures.ts";

/** Indexes and clients that are named of a group. */
const named = 20;

interface Group {
  readonly example: TaskFailure;
  readonly pattern: string;
  count: number;
  readonly indexes: number[];
  readonly clients: Map<string, number>;
}

/** Gathers failures of one job by kind and message. */
export class FailureGrouping {
  readonly #groups = new Map<string, Group>();
  #examined = 0;
  #ungrouped = 0;

  get isFull(): boolean {
    return this.#examined >= recordLimits.groupedFailures;
  }

  add(failure: TaskFailure): void {
    this.#examined++;
    const pattern = failurePattern(failure);
    const key = `${failure.kind} ${pattern}`;
    let group = this.#groups.get(key);
    if (!group) {
      if (this.#groups.size >= recordLimits.failureGroups) return void this.#ungrouped++;
      this.#groups.set(
        key,
        (group = { example: failure, pattern, count: 0, indexes: [], clients: new Map() }),
      );
    }
    group.count++;
    if (group.indexes.length < named) group.indexes.push(failure.index);
    const { client } = failure;
    if (client !== undefined && (group.clients.size < named || group.clients.has(client)))
      group.clients.set(client, (group.clients.get(client) ?? 0) + 1);
  }

  /** The groups, the largest first. */
  groups(failed: number): FailureGroups {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    return { failed, examined: this.#examined, ungrouped: this.#ungrouped, groups: groups.map(describe) };
  }
}

function describe({ example, pattern, count, indexes, clients }: Group): FailureGroup {
  const { kind, message, stack } = example;
  return {
    kind,
    pattern,
    message,
    ...(stack !== undefined && { stack }),
    count,
    indexes,
    clients: [...clients].sort(([, a], [, b]) => b - a).map(([client, failures]) => ({ client, failures })),
  };
}
