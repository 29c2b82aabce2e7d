"""The sizes in a drawing, in pixels."""

TEXT = 13.0  # font size of numbers
NAME = 15.0  # font size of names and symbols
RADIUS = 17.0  # of a gate
WIRE_SPACING = 14.0  # between wires that arrive at one gate
MAX_WIRE_SPREAD = 28.0  # largest distance between the first and the last of them
GATE_HALF_HEIGHT = 20.0  # of a gate and its texts, from its wire to top and bottom
WIRE_HALF_HEIGHT = 8.0  # of a wire that only crosses a column
CELL_GAP = 8.0  # between cells of a column
LINE = 1.5  # width of the lines of wires and gates
DOT = 3.0  # radius of a dot
PAD = 7.0  # before and after a text
MARGIN = 14.0  # around the drawing
MIN_CURVE_WIDTH, MAX_CURVE_WIDTH = 26.0, 140.0  # between two columns
CURVE_WIDTH_PER_HEIGHT = 0.35  # added for each pixel that a wire rises or falls

# Baselines of texts, relative to their wire; below it is positive.
VALUE_LINE = -6.0
NAME_LINE = 5.0
GRADIENT_LINE = 15.0
