import { expect, test } from "vitest";
import { ProvisionalFollowers } from "../../server/dispatch/provisional-followers.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { JobRow, NewOutput } from "../../server/store/store.ts";

const job = { id: "j1" as JobId, lastSeq: 7 } as JobRow;
const client = "c1" as ClientId;
const kept = (count: number, bytes: number): { state: "kept"; client: ClientId; outputs: NewOutput[] } => ({
  state: "kept",
  client,
  outputs: Array.from({ length: count }, (_, index) => ({ index, output: new Uint8Array(bytes), refs: [] })),
});

test("[SERVERS-14] followers of a job that another server changed begin afresh, and those of other jobs do not", () => {
  const followers = new ProvisionalFollowers();
  const [follower, other] = [followers.follow(job.id), followers.follow("j2" as JobId)];
  followers.tell(job, kept(1, 10));
  followers.miss(job.id);
  expect([follower.hasNews, other.hasNews]).toEqual([true, false]);
  followers.tell(job, kept(1, 10));
  expect(follower.take()).toBeUndefined();
  follower.begin();
  expect(follower.take()?.changes).toEqual([]);
});

test("[VERIFY-12] changes wait for a reader in order, and what a reader that is behind has missed is let go", () => {
  const followers = new ProvisionalFollowers();
  const follower = followers.follow(job.id);
  const other = followers.follow(job.id);
  const change = kept(2, 10);
  followers.tell(job, change);
  followers.tell(job, { state: "accepted", client, indexes: [] });
  followers.tell({ ...job, lastSeq: 8 }, { state: "accepted", client, indexes: [0] });
  followers.tell({ ...job, id: "j2" as JobId }, change);
  expect(follower.hasNews).toBe(true);
  expect(follower.take()).toEqual({
    changes: [change, { state: "accepted", client, indexes: [0] }],
    seq: 8,
  });
  expect(follower.hasNews).toBe(false);
  other.close();

  // A message of a client is taken whole, whatever its size.
  followers.tell(job, kept(4, 2_000_000));
  expect(follower.take()?.changes).toHaveLength(1);
  for (let told = 0; told < 3; told++) followers.tell(job, kept(2, 300_000));
  expect(follower.take()).toBeUndefined();
  followers.tell(job, change);
  expect(follower.take()).toBeUndefined();
  follower.begin();
  expect(follower.take()?.changes).toEqual([]);
  followers.tell(job, change);
  expect(follower.take()?.changes).toEqual([change]);

  for (let told = 0; told < 2000; told++)
    followers.tell(job, { state: "accepted", client, indexes: [1, 2, 3, 4, 5, 6, 7, 8, 9] });
  expect(follower.take()).toBeUndefined();
  expect(other.take()?.changes).toHaveLength(2);
});
