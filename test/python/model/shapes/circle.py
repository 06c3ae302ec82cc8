import math

from . import units


def area(radius):
    return units.rounded(math.pi * radius**2)
