import type { ClientId, TaskIndex } from "../../shared/ids.ts";
import { seededRandom } from "../../shared/random.ts";
import { EventQueue } from "../event-queue.ts";
import { newCounts, sampled, type Counts } from "./measures.ts";
import type { Rule, Vote, Voter } from "./other-rules.ts";
import { Population, type OutputCode, type Person } from "./population.ts";
import type { Scenario } from "./scenario.ts";

/** A task with votes and without a verdict. */
interface OpenTask {
  readonly votes: (Vote & { readonly person: Person; readonly honest: boolean })[];
  readonly voters: Set<Voter>;
  /** Votes to ask for before the verdict. */
  wanted: number;
  /** Whether a client computes the next vote. */
  isComputed: boolean;
  deliveredAt: number;
}

interface Session {
  readonly seat: number;
  readonly person: Person;
  readonly endsAt: number;
  /** Present work: a task, or a spot check. */
  work: TaskIndex | "check" | undefined;
}

/** Tasks at the front of the queue among which one without a vote of the person is looked for. */
const lookahead = 32;

/** Runs a scenario once under the rule of another platform: the same volunteers, without its scheduler. */
export function runOther(scenario: Scenario, rule: Rule, seed: string): Counts {
  return new OtherWorld(scenario, rule, seed).run();
}

class OtherWorld {
  readonly #scenario: Scenario;
  readonly #rule: Rule;
  readonly #random: () => number;
  readonly #population: Population;
  readonly #sessions = new EventQueue<Session>();
  readonly #seats: (Person | undefined)[] = [];
  readonly #voters = new Map<ClientId, Voter>();
  readonly #open = new Map<TaskIndex, OpenTask>();
  /** Tasks that want further votes, oldest first. */
  readonly #waiting = new Set<TaskIndex>();
  readonly #counts = newCounts();
  #fresh = 0;
  #now = 0;

  constructor(scenario: Scenario, rule: Rule, seed: string) {
    this.#scenario = scenario;
    this.#rule = rule;
    this.#random = seededRandom(`${seed} ${scenario.name}`);
    this.#population = new Population(scenario, this.#random);
  }

  run(): Counts {
    const { volunteers, tasks } = this.#scenario;
    for (let seat = 0; seat < volunteers; seat++) this.#arrive(seat);
    for (let next = this.#sessions.take(); next; next = this.#sessions.take()) {
      this.#now = next.at;
      // The last tasks may want more voters than are left who have not voted.
      if (this.#fresh >= tasks && this.#open.size < volunteers) break;
      const session = next.value;
      if (this.#now < session.endsAt) this.#work(session);
      else {
        this.#leave(session);
        this.#arrive(session.seat);
      }
    }
    return this.#counts;
  }

  #arrive(seat: number): void {
    const person = this.#population.next(this.#seats[seat]);
    this.#seats[seat] = person;
    this.#voterOf(person);
    const session = { seat, person, endsAt: this.#now + this.#population.begin(person), work: undefined };
    this.#sessions.add(this.#now, session);
  }

  #voterOf({ id }: Person): Voter {
    let voter = this.#voters.get(id);
    if (!voter) this.#voters.set(id, (voter = { valid: 0, found: false, open: new Set() }));
    return voter;
  }

  /** A volunteer delivers the present work and begins the next. */
  #work(session: Session): void {
    const { person, work } = session;
    if (work === "check") this.#spotCheck(person);
    else if (work !== undefined) this.#vote(person, work);
    session.work = this.#random() < this.#rule.spotChecks ? "check" : this.#choose(this.#voterOf(person));
    this.#sessions.add(Math.min(this.#now + this.#population.taskMs(), session.endsAt), session);
  }

  #leave({ work }: Session): void {
    if (typeof work === "number") this.#wait(work, this.#open.get(work)!);
  }

  #spotCheck(person: Person): void {
    this.#counts.extra += 1;
    // The answer of a task like any other is known; the volunteer cannot tell.
    const output = this.#population.compute(person, this.#randomFresh());
    const voter = this.#voterOf(person);
    if (output === 0) voter.valid += 1;
    else this.#find(person, voter);
  }

  #randomFresh(): TaskIndex {
    return this.#scenario.tasks + Math.floor(this.#random() * 2 ** 30);
  }

  #vote(person: Person, index: TaskIndex): void {
    const voter = this.#voterOf(person);
    const task = this.#open.get(index)!;
    if (task.votes.length === 0) task.deliveredAt = this.#now;
    const output = this.#population.compute(person, index);
    const honest = person.nature === "honest";
    if (honest) this.#counts.honest += 1;
    const vote = { voter, output, person, honest };
    task.votes.push(vote);
    voter.open.add(index);
    if (task.votes.length === 1) task.wanted = this.#rule.votesFor(vote, this.#random);
    if (!this.#judge(index, task)) this.#wait(index, task);
  }

  #wait(index: TaskIndex, task: OpenTask): void {
    task.isComputed = false;
    this.#waiting.add(index);
  }

  /** A task that waits for further votes, or a fresh one. */
  #choose(voter: Voter): TaskIndex | undefined {
    let looked = 0;
    for (const index of this.#waiting) {
      if (++looked > lookahead) break;
      const task = this.#open.get(index)!;
      if (task.voters.has(voter)) continue;
      // Voters earned credibility meanwhile.
      if (this.#judge(index, task)) continue;
      task.voters.add(voter);
      task.isComputed = true;
      this.#waiting.delete(index);
      return index;
    }
    if (this.#fresh >= this.#scenario.tasks) return undefined;
    const index = this.#fresh++;
    this.#open.set(index, {
      votes: [],
      voters: new Set([voter]),
      wanted: 1,
      isComputed: true,
      deliveredAt: this.#now,
    });
    return index;
  }

  /** @returns whether the task is over */
  #judge(index: TaskIndex, task: OpenTask): boolean {
    const output = task.votes.length < task.wanted ? undefined : this.#rule.verdict(task.votes);
    if (output === undefined) return false;
    this.#accept(index, task, output);
    return true;
  }

  #accept(index: TaskIndex, { votes, deliveredAt }: OpenTask, output: OutputCode): void {
    this.#open.delete(index);
    this.#waiting.delete(index);
    const counts = this.#counts;
    counts.accepted += 1;
    counts.extra += votes.length - 1;
    if (output !== 0) counts.wrong += 1;
    if (index % sampled === 0) {
      counts.delays.push(this.#now - deliveredAt);
      counts.delaysAfterWindow.push(this.#now - deliveredAt);
    }
    for (const { voter } of votes) voter.open.delete(index);
    if (votes.length === 1) return;
    for (const { voter, output: own, person, honest } of votes) {
      if (own === output) {
        if (this.#rule.spotChecks === 0) voter.valid += 1;
        continue;
      }
      if (honest) counts.honestWithdrawn += 1;
      this.#find(person, voter);
    }
  }

  /** A wrong result was found: the identity starts again, or is replaced by its owner. */
  #find(person: Person, voter: Voter): void {
    if (voter.found) return;
    voter.valid = 0;
    if (person.nature === "honest") return;
    voter.found = true;
    this.#counts.burnt += 1;
    if (this.#rule.spotChecks > 0) this.#withdraw(voter);
    if (this.#voters.get(person.id) === voter) this.#population.renew(person);
  }

  /** Withdraws the votes of a banned voter. */
  #withdraw(voter: Voter): void {
    for (const index of voter.open) {
      const task = this.#open.get(index);
      if (!task) continue;
      this.#counts.extra += 1;
      task.voters.delete(voter);
      const at = task.votes.findIndex((vote) => vote.voter === voter);
      if (at >= 0) task.votes.splice(at, 1);
      if (!task.isComputed) this.#waiting.add(index);
    }
    voter.open.clear();
  }
}
