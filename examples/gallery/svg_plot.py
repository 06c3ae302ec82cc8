"""Curves and points with error bars as an SVG picture, for light and dark pages."""

from html import escape

WIDTH, HEIGHT = 440, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 424, 52, 290
STYLE = """
  .page { fill: #ffffff; } text { font: 13px system-ui, sans-serif; fill: #1f2328; } .head { font-weight: 600; }
  .minor { fill: #59636e; } .grid { stroke: #d1d9e0; } .line { stroke: #a3abb5; fill: none; stroke-width: 2; }
  .bar { stroke: #0a7c5a; stroke-width: 1.5; } .dot { fill: #0a7c5a; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } text { fill: #e6edf3; } .minor { fill: #9198a1; } .grid { stroke: #3d444d; }
    .line { stroke: #6b7480; } .bar { stroke: #35c795; } .dot { fill: #35c795; }
  }"""


class Panel:
    """One plot: its axes go from the first to the second number of ``x`` and ``y``."""

    def __init__(self, title, x, x_name, y, ticks=6, decimals=2):
        self._x, self._y = x, y
        self._parts = [f'<text class="head" x="{LEFT}" y="20">{escape(title)}</text>']
        self._legend = LEFT
        for i in range(ticks + 1):
            value = y[0] + (y[1] - y[0]) * i / ticks
            down = self._down(value)
            self._parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{down}" y2="{down}"/>')
            self._text(LEFT - 6, down + 4, f"{value:.{decimals}f}", "end")
            value = x[0] + (x[1] - x[0]) * i / ticks
            self._text(self._across(value), BOTTOM + 18, f"{value:.1f}", "middle")
        self._text((LEFT + RIGHT) / 2, BOTTOM + 38, x_name, "middle")

    def line(self, points, label):
        path = " ".join(f"{self._across(x)},{self._down(y)}" for x, y in points)
        self._parts.append(f'<polyline class="line" points="{path}"/>')
        self._parts.append(f'<line class="line" x1="{self._legend}" x2="{self._legend + 20}" y1="36" y2="36"/>')
        self._name(label)

    def points(self, points, label):
        """Points are (x, y, error)."""
        for x, y, error in points:
            across, low, high = self._across(x), self._down(y - error), self._down(y + error)
            self._parts.append(f'<line class="bar" x1="{across}" x2="{across}" y1="{low}" y2="{high}"/>')
            self._parts.append(f'<circle class="dot" cx="{across}" cy="{self._down(y)}" r="3"/>')
        self._parts.append(f'<circle class="dot" cx="{self._legend + 14}" cy="36" r="3"/>')
        self._name(label)

    def svg(self, left):
        return f'<g transform="translate({left} 0)">{"".join(self._parts)}</g>'

    def _across(self, x):
        return round(LEFT + (RIGHT - LEFT) * (x - self._x[0]) / (self._x[1] - self._x[0]), 1)

    def _down(self, y):
        return round(BOTTOM - (BOTTOM - TOP) * (y - self._y[0]) / (self._y[1] - self._y[0]), 1)

    def _text(self, x, y, text, anchor):
        self._parts.append(f'<text class="minor" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')

    def _name(self, label):
        self._text(self._legend + 26, 40, label, "start")
        self._legend += 40 + 8 * len(label)


def page(panels):
    """A picture of panels beside each other."""
    width = WIDTH * len(panels)
    content = "\n".join(panel.svg(i * WIDTH) for i, panel in enumerate(panels))
    size = f'viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f'<style>{STYLE}</style>\n<rect class="page" width="100%" height="100%" rx="6"/>\n{content}\n</svg>\n'
    )
