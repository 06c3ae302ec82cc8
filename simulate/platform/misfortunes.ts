import { calm } from "./network.ts";
import type { Misfortune } from "./plan.ts";
import { soundSandboxes } from "./sandboxes.ts";
import { DatabaseStorage, DiskStorage } from "./storage.ts";
import { Process } from "./virtual-time.ts";
import type { Volunteer } from "./volunteer.ts";
import type { World } from "./world.ts";

/** Causes faults for a while, and then mends them. */
export class Misfortunes {
  readonly #world: World;
  readonly #process = new Process("misfortune");

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    const world = this.#world;
    const { misfortunes } = world.plan;
    const has = (kind: Misfortune, rate: number): number =>
      misfortunes.includes(kind) ? rate * world.random() : 0;
    world.network.rates = {
      drop: has("socketDrop", 0.6),
      lost: has("networkFaults", 0.2),
      silent: has("networkFaults", 0.04),
      slow: has("networkFaults", 0.02),
    };
    if (world.storage instanceof DiskStorage)
      world.storage.disk.rates = {
        statement: has("diskErrors", 0.004),
        commit: has("diskErrors", 0.05),
        crashBefore: has("commitFaults", 0.01),
        crashAfter: has("commitFaults", 0.02),
        inDoubt: has("commitFaults", 0.01),
      };
    else
      world.storage.model.rates = {
        commit: has("databaseFaults", 0.03),
        crash: has("databaseFaults", 0.005),
        notification: has("databaseFaults", 0.5),
      };
    world.sandboxRates = {
      none: has("sandboxFaults", 0.1),
      death: has("sandboxFaults", 0.05),
      straggler: has("sandboxFaults", 0.05),
    };
    this.#next();
  }

  end(): void {
    const world = this.#world;
    const { time } = world;
    this.#process.isAlive = false;
    world.network.rates = calm;
    world.storage.mend();
    world.sandboxRates = soundSandboxes;
    for (const place of world.places) {
      time.resume(place.process);
      place.cutUntil = 0;
    }
    for (const volunteer of world.volunteers) {
      time.resume(volunteer.process);
      volunteer.cutUntil = 0;
      volunteer.client?.resume();
      volunteer.client?.setSlots(volunteer.plan.slots);
    }
    for (const program of world.programs) {
      time.resume(program.process);
      program.cutUntil = 0;
    }
  }

  #next(): void {
    const { time, random, plan } = this.#world;
    time.schedule(this.#process, -Math.log(1 - random()) * plan.everyMs, "misfortune", () => {
      const kinds = plan.misfortunes;
      if (kinds.length > 0) this.#strike(kinds[Math.floor(random() * kinds.length)]!);
      this.#next();
    });
  }

  #strike(kind: Misfortune): void {
    const world = this.#world;
    const { time, random, trace } = world;
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const some = (mostMs: number): number => mostMs * random() ** 3;
    const { places, storage } = world;
    const place = places.length === 1 ? places[0]! : pick(places)!;
    switch (kind) {
      case "crash":
        trace.fault("server killed");
        return world.crashServer(place, 50 + some(20_000));
      case "stop":
        trace.fault("server stopped");
        return world.stopServer(place, 50 + some(5000));
      case "hold":
        trace.fault("server held still");
        place.process.heldUntil = Math.max(place.process.heldUntil, time.now + some(60_000));
        return;
      case "wallClock":
        trace.fault("wall clock jumped");
        place.process.wallOffsetMs += (random() - 0.5) * 2 * 3_600_000 * 24;
        return;
      case "socketDrop":
        return pick(world.links)?.drop();
      case "cutOff": {
        trace.fault("host cut off");
        const host = pick([...world.volunteers, ...world.programs]);
        if (host) host.cutUntil = time.now + some(60_000);
        return;
      }
      case "clientKill":
        return this.#withClient((volunteer) => {
          trace.fault("client killed");
          volunteer.kill(random() < 0.7);
          volunteer.boot(some(40_000));
        });
      case "clientStop":
        return this.#withClient((volunteer) => {
          trace.fault("client stopped");
          time.schedule(volunteer.process, 0, "stop", () => {
            volunteer.client?.stop();
            // A shell ends its process some time later.
            time.schedule(volunteer.process, 5, "process ends", () => {
              volunteer.kill(true);
              volunteer.boot(some(20_000));
            });
          });
        });
      case "clientPause":
        return this.#withClient((volunteer) => {
          trace.fault("client paused");
          time.schedule(volunteer.process, 0, "pause", () => {
            if (this.#process.isAlive) volunteer.client?.pause();
          });
          time.schedule(volunteer.process, some(20_000), "resume", () => volunteer.client?.resume());
        });
      case "clientSlots":
        return this.#withClient((volunteer) => {
          trace.fault("slots changed");
          const slots = Math.floor(random() * 4);
          time.schedule(volunteer.process, 0, "slots", () => {
            // A client that was asleep hears of it later.
            if (this.#process.isAlive) volunteer.client?.setSlots(slots);
          });
        });
      case "clientSleep":
        return this.#withClient((volunteer) => {
          trace.fault("client asleep");
          volunteer.process.heldUntil = Math.max(volunteer.process.heldUntil, time.now + some(120_000));
        });
      case "programKill": {
        const program = pick(world.programs.filter(({ process }) => process.isAlive));
        if (!program) return;
        trace.fault("program killed");
        program.kill();
        return program.boot(some(20_000));
      }
      case "diskFull":
      case "databaseFull": {
        const full = storage instanceof DiskStorage ? storage.disk : storage.model;
        full.isFull = true;
        time.schedule(this.#process, some(10_000), "disk has room", () => {
          full.isFull = false;
        });
        return;
      }
      case "databaseRestart":
      case "databaseCrash":
        trace.fault(kind === "databaseCrash" ? "database crashed" : "database restarted");
        if (storage instanceof DatabaseStorage)
          storage.model.restart(100 + some(20_000), kind === "databaseCrash");
        return;
      case "databaseCut":
        trace.fault("server cut off from the database");
        place.cutUntil = time.now + some(40_000);
        return;
      case "sessionDrop": {
        const end = storage instanceof DatabaseStorage && pick(storage.ends);
        if (!end) return;
        trace.fault("database session dropped");
        return end.break(pick(["both", "client", "server", "neither"] as const)!);
      }
      case "diskErrors":
      case "commitFaults":
      case "databaseFaults":
      case "networkFaults":
      case "sandboxFaults":
        // Their chances hold all the time.
        return;
    }
  }

  #withClient(strike: (volunteer: Volunteer) => void): void {
    const { volunteers, random } = this.#world;
    const alive = volunteers.filter(({ process, client }) => process.isAlive && client);
    const one = alive[Math.floor(random() * alive.length)];
    if (one) strike(one);
  }
}
