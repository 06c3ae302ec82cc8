"""The Ising model in two dimensions, simulated in Python on every client, beside Onsager's exact solution.

    npm install pyodide@314.0.7                               # once, beside the server
    PYTHONPATH=python python3 examples/gallery/ising.py       # --help tells more

A task is a Metropolis run at one temperature. Runs of one temperature are independent, so their spread gives the error
bars. The program prints energy and magnetisation beside the exact ones (Onsager 1944, Yang 1952), and draws them:
ising.svg, which is on the job's page, too. A lattice that is more than eight correlation lengths wide is like an
infinite one; the other temperatures, near the transition, are drawn and not compared.
"""

import argparse
import math
import random
from pathlib import Path
from statistics import mean, stdev

import manyhands
from svg_plot import Panel, page

TRANSITION = 2 / math.log(1 + math.sqrt(2))


def luck(probability, sites):
    """A word of bits that are 1 with a probability, to 24 binary digits."""
    word = 0
    for digit in range(24):
        bits = random.getrandbits(sites)
        word = word | bits if int(probability * 2**24) >> digit & 1 else word & bits
    return word


def simulate(task):
    """Metropolis on a periodic square lattice. All spins are one integer: a few operations on bits are half a sweep."""
    size, temperature, sweeps = task["size"], task["temperature"], task["sweeps"]
    sites = size * size
    every = (1 << sites) - 1
    first = sum(1 << row * size for row in range(size))  # the first spin of each row
    last = first << size - 1
    even = sum(1 << site for site in range(sites) if (site // size + site) % 2 == 0)
    spins = every
    energy = magnetisation = 0.0
    for sweep in range(-sweeps // 4, sweeps):  # the first fifth is not counted
        for colour in (even, every ^ even):
            # Spins that differ from their neighbour above, below, right and left; how many of the four, by half adders.
            up = spins ^ (spins >> size | spins << sites - size & every)
            down = spins ^ (spins << size & every | spins >> sites - size)
            right = spins ^ ((spins & ~first) >> 1 | (spins & first) << size - 1)
            left = spins ^ ((spins & ~last) << 1 | (spins & last) >> size - 1)
            one = up | down | right | left
            two = up & down | right & left | (up | down) & (right | left)
            # A flip that costs 4 has probability p, one that costs 8 has p².
            p = math.exp(-4 / temperature)
            lucky = luck(p, sites)
            spins ^= colour & (two | lucky & (one | luck(p, sites)))
        if sweep >= 0:
            up = spins ^ (spins >> size | spins << sites - size & every)
            right = spins ^ ((spins & ~first) >> 1 | (spins & first) << size - 1)
            energy += 2 * (up.bit_count() + right.bit_count()) - 2 * sites
            magnetisation += abs(2 * spins.bit_count() - sites)
    return [energy / sweeps / sites, magnetisation / sweeps / sites]


def exact(temperature):
    """Energy and magnetisation of a spin of the infinite lattice, and one over the correlation length."""
    k = 1 / temperature
    a, b = 1.0, abs(2 * math.tanh(2 * k) ** 2 - 1)
    while a - b > 1e-14:  # the complete elliptic integral as an arithmetic-geometric mean
        a, b = (a + b) / 2, math.sqrt(a * b)
    energy = -(1 + (2 * math.tanh(2 * k) ** 2 - 1) / a) / math.tanh(2 * k)
    magnetisation = (1 - math.sinh(2 * k) ** -4) ** 0.125 if temperature < TRANSITION else 0.0
    return energy, magnetisation, abs(math.log(1 / math.tanh(k)) - 2 * k)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="spins a side, an even number (64)")
    parser.add_argument("--sweeps", type=int, default=2000, help="sweeps of a run (2000)")
    parser.add_argument("--runs", type=int, default=12, help="runs a temperature (12)")
    parser.add_argument("--step", type=float, default=0.1, help="between temperatures, 1.6 to 3.2 (0.1)")
    parser.add_argument("--out", type=Path, default=Path("ising.svg"))
    options = parser.parse_args()
    temperatures = [1.6 + options.step * i for i in range(round(1.6 / options.step) + 1)]
    tasks = [
        {"size": options.size, "temperature": t, "sweeps": options.sweeps}
        for t in temperatures
        for _ in range(options.runs)
    ]
    with manyhands.connect() as hands:
        job = hands.map(simulate, tasks, name="Ising model", seed="1944")
        outputs = job.gather(progress=True)
        rows, deviations = [], []
        print("   T   energy            exact   magnetisation    exact")
        for i, t in enumerate(temperatures):
            runs = outputs[i * options.runs : (i + 1) * options.runs]
            (e, de), (m, dm) = [(mean(values), stdev(values) / math.sqrt(len(values))) for values in zip(*runs)]
            true_e, true_m, inverse_length = exact(t)
            compared = inverse_length * options.size > 8
            note = "" if compared else "  (near the transition)"
            print(f"{t:4.2f}  {e:.4f} ± {de:.4f}  {true_e:.4f}  {m:.4f} ± {dm:.4f}  {true_m:.4f}{note}")
            if compared:
                deviations.append((e - true_e) / de)
            if compared and t < TRANSITION:
                deviations.append((m - true_m) / dm)
            rows.append((t, e, de, m, dm, compared))
        worst, typical = max(map(abs, deviations)), mean(d * d for d in deviations) ** 0.5
        print(f"{len(deviations)} values agree with the exact ones within {worst:.1f} error bars ({typical:.2f} typically)")
        picture = draw(rows, f"{options.size} × {options.size} spins")
        options.out.write_text(picture)
        job.attach("ising.svg", picture)

        status, computed = job.status(), job.cost()["computedMs"] / 1000
        wall = (status["endedAt"] - status["createdAt"]) / 1000
        print(f"computed {computed:.1f} s in {wall:.1f} s: {computed / wall:.2f} times as fast as one slot")
        if worst > 5:
            raise SystemExit("more than five error bars: too few or too short runs, or not the Ising model")


def draw(rows, spins):
    curve = [1.5 + 1.8 * i / 360 for i in range(361)]
    energy = Panel("Energy of a spin", (1.5, 3.3), "temperature", (-2, -0.5))
    energy.line([(t, exact(t)[0]) for t in curve], "Onsager")
    energy.points([(t, e, de) for t, e, de, *_ in rows], spins)
    differences = [(t, e - exact(t)[0], de) for t, e, de, _, _, compared in rows if compared]
    most = math.ceil(1000 * max(abs(d) + de for _, d, de in differences)) / 1000
    difference = Panel("Energy: simulated less exact", (1.5, 3.3), "temperature", (-most, most), decimals=4)
    difference.line([(1.5, 0), (3.3, 0)], "Onsager")
    difference.points(differences, "difference")
    magnetisation = Panel("Magnetisation of a spin", (1.5, 3.3), "temperature", (0, 1.2))
    magnetisation.line([(t, exact(t)[1]) for t in curve], "Onsager, Yang")
    magnetisation.points([(t, m, dm) for t, _, _, m, dm, _ in rows], spins)
    return page([energy, difference, magnetisation])


if __name__ == "__main__":
    main()
