"""The colours of drawings.

Values are green, gradients red. They also differ in lightness and place, for readers who cannot
tell red from green: values are lighter and above the wire, gradients darker and below it.
"""

PAPER = "#ffffff"
INK = "#1f2328"
WIRE = "#6a737d"
GATE = "#eef2f6"
VALUE = "#00845c"
GRADIENT = "#a3001b"
