import { spareCredit } from "./leases.ts";
import { suits } from "./requirements.ts";
import { noLeases, nothingCached, type State } from "./state.ts";

/**
 * Checks the conditions that hold after every event. Run by tests; a violation tells the whole story of its object.
 * @throws Error naming the broken invariant
 */
export function checkInvariants(state: Readonly<State>): void {
  for (const job of state.jobs.values()) {
    const queued = new Set([...job.queue, ...job.audits, ...job.seconds]);
    must(
      queued.size === job.queue.size + job.audits.size + job.seconds.size,
      `job ${job.id} queues a task twice`,
    );
    for (const task of job.suspects)
      must(task.place === "queued", `suspect task ${job.id}/${task.index} is ${task.place}`);
    for (const task of queued) must(task.place === "queued", `queued task ${task.index} is ${task.place}`);
    for (const [index, task] of job.tasks) {
      const story = `task ${job.id}/${index} (${task.place}, ${task.leases.length} leases, ${task.attempts} attempts)`;
      must(task.index === index && task.job === job, `${story} is filed under another name`);
      must((task.place === "queued") === queued.has(task), `${story}: place and queue disagree`);
      must((task.place === "leased") === task.leases.length > 0, `${story}: place and leases disagree`);
      must(task.leases.length <= 2, `${story} has more than a second lease`);
      must(
        new Set(task.leases.map((lease) => lease.client)).size === task.leases.length,
        `${story}: one client twice`,
      );
      // One attempt more is possible when the other of two leases was handed back instead of failing.
      must(
        task.attempts <= job.info.maxAttempts + 1,
        `${story} was tried more often than ${job.info.maxAttempts} times`,
      );
      for (const lease of task.leases)
        must(
          state.clients.get(lease.client)?.leases.has(lease) === true,
          `${story}: client ${lease.client} lacks its lease`,
        );
    }
  }
  must(noLeases.size === 0 && nothingCached.size === 0, "what clients without anything share is not empty");
  for (const client of state.hungry)
    must(state.clients.get(client.info.id) === client, `client ${client.info.id} is gone and still hungry`);
  for (const job of state.unmet) {
    must(state.jobs.get(job.id) === job, `job ${job.id} is gone and still counts as one that nobody may run`);
    for (const client of state.hungry)
      must(
        !suits(client.info, job.info),
        `job ${job.id} counts as one that nobody may run; hungry client ${client.info.id} may`,
      );
  }
  for (const [name, { members }] of state.cohorts) {
    const found = [...state.clients.values()].filter(({ info }) => !info.trusted && info.cohort === name);
    must(members === found.length, `cohort ${name} counts ${members} members, and has ${found.length}`);
  }
  for (const client of state.clients.values()) {
    must(
      state.hungry.has(client) === spareCredit(client) > 0,
      `client ${client.info.id}: credit and hunger disagree`,
    );
    for (const lease of client.leases) {
      must(lease.client === client.info.id, `client ${client.info.id} holds a lease of ${lease.client}`);
      must(
        lease.task.job.tasks.get(lease.task.index) === lease.task,
        `client ${client.info.id} holds a lease of a task that ended`,
      );
      must(lease.task.leases.includes(lease), `client ${client.info.id} holds a lease that its task lacks`);
      must(
        state.jobs.get(lease.task.job.id) === lease.task.job,
        `client ${client.info.id} holds a lease of a job that ended`,
      );
    }
  }
}

function must(holds: boolean, story: string): void {
  if (!holds) throw new Error(`scheduler invariant broken: ${story}`);
}
