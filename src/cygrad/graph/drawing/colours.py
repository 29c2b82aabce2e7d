"""The colours of drawings.

Values are green, gradients red. Who cannot tell the two hues sees a light and a dark one, the one
above the wire, the other below.
"""

PAPER = "#ffffff"
INK = "#1f2328"
WIRE = "#6a737d"
GATE = "#eef2f6"
VALUE = "#00845c"
GRADIENT = "#a3001b"
