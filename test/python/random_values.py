"""python3 random_values.py SEED COUNT: random values, a line of hexadecimal bytes each."""

import array
import random
import struct
import sys

import manyhands

rng = random.Random(sys.argv[1])
TEXTS = ["", "a", "grüße", "\U0001f44b", "\ufeff", "x" * 40, "ü" * 300, "y" * 70_000, "\ud83d", "__proto__", "$ref"]
KEYS = ["", "a", "grüße", "__proto__", "$bytes", "k" * 40]


def number():
    choice = rng.randrange(5)
    if choice == 0:
        return rng.randrange(-300, 300)
    if choice == 1:
        return rng.randrange(-(2**53) + 1, 2**53)
    if choice == 2:
        return float(rng.randrange(-(2**40), 2**40))
    if choice == 3:
        return rng.choice([0.0, -0.0, 0.1, -1.5, 5e-324, 1.7e308, float("inf"), float("-inf"), 2.0**53])
    value = struct.unpack(">d", rng.randbytes(8))[0]
    # A NaN may have any bits, and JavaScript has one.
    return 0.5 if value != value else value


def value(depth):
    choice = rng.randrange(9 if depth < 5 else 7)
    if choice < 2:
        return number()
    if choice == 2:
        return rng.choice(TEXTS)
    if choice == 3:
        return rng.choice([None, True, False, manyhands.undefined])
    if choice == 4:
        return rng.randbytes(rng.choice([0, 1, 200, 300]))
    if choice == 5:
        code = rng.choice("bhHiIqQ")
        return array.array(code, [rng.randrange(100) for _ in range(rng.randrange(5))])
    if choice == 6:
        whole = manyhands.DataReference(rng.randbytes(32).hex(), rng.randrange(2**33))
        return rng.choice([whole, whole.slice(whole.size // 3, whole.size // 2)])
    if choice == 7:
        return [value(depth + 1) for _ in range(rng.choice([0, 1, 3, 20]))]
    return {name: value(depth + 1) for name in rng.sample(KEYS, rng.randrange(len(KEYS)))}


for _ in range(int(sys.argv[2])):
    print(manyhands.encode_value(value(0)).hex())
