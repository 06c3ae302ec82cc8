/**
 * A cluster of stars that attract each other, by the leapfrog method with softened forces (S. J. Aarseth, Gravitational N-Body Simulations,
 * 2003), in units in which mass and G are 1 and the energy is -1/4 (D. C. Heggie and R. D. Mathieu, 1986). Forces are summed over
 * all pairs: on the graphics processor where the kernel has one, else in JavaScript.
 */
import type { KernelContext } from "../../parallel/index.ts";
import { createForces } from "./n-body-forces.ts";

export interface Cluster {
  readonly stars: number;
  readonly seed: number;
  /** Factor of the speeds at the start: 1 keeps the cluster in balance, less lets it collapse. */
  readonly speed: number;
  readonly steps: number;
}

export interface Evolved {
  readonly energyBefore: number;
  readonly energyAfter: number;
  /** Radius of half of the stars: at the start, and every {@link stepsPerRadius} steps. */
  readonly halfRadii: readonly number[];
  /** Twice the kinetic energy over the potential one, on average over the second half of the time. */
  readonly virialRatio: number;
}

export const stepTime = 1 / 128;
export const stepsPerRadius = 8;
/** Length of Plummer's model in these units. */
const scale = (3 * Math.PI) / 16;

export default async function nBody(cluster: Cluster, ctx: KernelContext): Promise<Evolved> {
  const { places, speeds } = plummer(cluster);
  const forces = await createForces(cluster.stars);
  let pulls = await forces(places);
  const energyBefore = sumOf(energyOf(places, speeds, pulls));
  const halfRadii = [halfRadius(places)];
  let ratios = 0;
  for (let step = 0; step < cluster.steps; step++) {
    push(speeds, pulls, stepTime / 2);
    push(places, speeds, stepTime);
    pulls = await forces(places);
    push(speeds, pulls, stepTime / 2);
    if ((step + 1) % stepsPerRadius === 0) halfRadii.push(halfRadius(places));
    const { kinetic, potential } = energyOf(places, speeds, pulls);
    if (step >= cluster.steps / 2) ratios += (2 * kinetic) / -potential;
    ctx.progress((step + 1) / cluster.steps);
  }
  return {
    energyBefore,
    energyAfter: sumOf(energyOf(places, speeds, pulls)),
    halfRadii,
    virialRatio: ratios / Math.floor(cluster.steps / 2),
  };
}

/** Adds the first three of each four numbers, times a factor. */
function push(to: Float32Array, of: Float32Array, factor: number): void {
  for (let at = 0; at < to.length; at++) if (at % 4 !== 3) to[at]! += of[at]! * factor;
}

interface Energy {
  readonly kinetic: number;
  readonly potential: number;
}

/** Each pair counts once. */
function energyOf(places: Float32Array, speeds: Float32Array, pulls: Float32Array): Energy {
  let [kinetic, potential] = [0, 0];
  for (let at = 0; at < places.length; at += 4) {
    const square = speeds[at]! ** 2 + speeds[at + 1]! ** 2 + speeds[at + 2]! ** 2;
    kinetic += (places[at + 3]! * square) / 2;
    potential += (places[at + 3]! * pulls[at + 3]!) / 2;
  }
  return { kinetic, potential };
}

const sumOf = ({ kinetic, potential }: Energy): number => kinetic + potential;

function halfRadius(places: Float32Array): number {
  const radii = new Float64Array(places.length / 4);
  for (let i = 0; i < radii.length; i++)
    radii[i] = Math.hypot(places[4 * i]!, places[4 * i + 1]!, places[4 * i + 2]!);
  return radii.sort()[radii.length / 2]!;
}

/** Plummer's model of a cluster (S. J. Aarseth, M. Hénon and R. Wielen, 1974). */
function plummer({ stars, seed, speed }: Cluster): { places: Float32Array; speeds: Float32Array } {
  const random = seeded(seed);
  const [places, speeds] = [new Float32Array(4 * stars), new Float32Array(4 * stars)];
  for (let at = 0; at < places.length; at += 4) {
    // The few stars far outside are left out.
    const radius = scale / Math.sqrt((0.01 + 0.98 * random()) ** (-2 / 3) - 1);
    let q: number;
    do q = random();
    while (random() * 0.1 > q * q * (1 - q * q) ** 3.5);
    const escape = Math.SQRT2 * (radius * radius + scale * scale) ** -0.25;
    places.set([...direction(random, radius), 1 / stars], at);
    speeds.set([...direction(random, speed * q * escape), 0], at);
  }
  return { places, speeds };
}

function direction(random: () => number, length: number): number[] {
  const z = 1 - 2 * random();
  const angle = 2 * Math.PI * random();
  const across = Math.sqrt(1 - z * z);
  return [across * Math.cos(angle), across * Math.sin(angle), z].map((part) => part * length);
}

/** Mulberry32: the same stars for the same seed, whichever task they are of. */
function seeded(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
