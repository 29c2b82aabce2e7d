"""Rows of delimited text as numbers and codes of words, block by block, in one pass.

`RowParser` is given the layout of the text: separator, quote, decimal point, comments, and the kind of each column. It
guesses nothing. Its caller in `cygrad.tables.delimited` makes the messages from `failure`.
"""

cimport cython

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "Python.h":
    char *PyByteArray_AsString(object array) except NULL
    int PyByteArray_Resize(object array, Py_ssize_t size) except -1
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    double PyOS_string_to_double(const char *text, char **end, void *overflow) except? -1.0

cdef extern from "decimal.h" nogil:
    enum:
        CG_LEAST_POWER
        CG_LARGEST_POWER
        CG_POWER_WORDS
        CG_UNDECIDED
        CG_INFINITE
        CG_ROUNDED
        CG_LEADING_ZERO

    ctypedef struct cg_decimal:
        double value
        int properties

    void cg_set_powers(const uint64_t *words)
    const char *cg_read_decimal(const char *text, char point, cg_decimal *number)


# Kinds of columns. A column that is NUMBERS_SO_FAR is SKIPPED from the first field on that is no number.
cdef enum:
    KIND_NUMBERS, KIND_TEXT, KIND_NUMBERS_SO_FAR, KIND_SKIPPED

NUMBERS, TEXT, NUMBERS_SO_FAR, SKIPPED = KIND_NUMBERS, KIND_TEXT, KIND_NUMBERS_SO_FAR, KIND_SKIPPED
PADDING = 16                                # bytes behind the text of a block, which can be read

cdef enum:
    IS_BLANK = 1, ENDS_FIELD = 2, ENDS_QUOTED = 4, BEGINS_COMMENT = 8

cdef enum:
    ROW_DONE, ROW_INCOMPLETE, ROW_FAILED

cdef enum:
    REMEMBERED_WORDS = 8192                 # a power of two
    SIGNIFICANT_DIGITS = 800                # those behind the first 767 never change the nearest double

cdef int64_t LARGEST_EXPONENT = 10 ** 17
cdef int64_t NO_CODE = -(1 << 40)
cdef double NAN = float("nan")
cdef uint64_t MULTIPLIER = 0x9E3779B97F4A7C15

cdef struct column_state:
    int kind
    Py_ssize_t slot                         # position in its row of numbers, or of codes

# A word that was found lately, and its code.
cdef struct remembered:
    const char *text
    Py_ssize_t size
    Py_ssize_t slot
    int64_t code


def set_powers():
    """Compute the table of powers of five with Python's whole numbers."""
    cdef uint64_t[CG_POWER_WORDS] words
    cdef Py_ssize_t i = 0
    low = (1 << 64) - 1
    for q in range(CG_LEAST_POWER, CG_LARGEST_POWER + 1):
        power = 5 ** abs(q)
        length = power.bit_length()
        if q >= 0:
            bits = power << 128 >> length
        else:
            bits = (1 << length + 127) // power + (q >= -27)
        words[i], words[i + 1] = bits >> 64, bits & low
        i += 2
    cg_set_powers(words)


set_powers()


cdef double decided(const char *text, Py_ssize_t size, char point) except? -1.0:
    """Return the nearest double of a number with so many digits that `cg_read_decimal` leaves it undecided."""
    cdef char[SIGNIFICANT_DIGITS + 32] digits
    cdef Py_ssize_t i = 0, count = 1
    cdef int64_t power = 0, exponent = 0
    cdef bint is_below, is_fraction = False, has_more = False
    cdef char c
    digits[0] = b"-" if text[0] == b"-" else b"+"
    if text[0] == b"-" or text[0] == b"+":
        i = 1
    while i < size and text[i] != b"e" and text[i] != b"E":
        c = text[i]
        i += 1
        if c == point:
            is_fraction = True
            continue
        power -= is_fraction
        if count == 1 and c == b"0":
            continue
        if count <= SIGNIFICANT_DIGITS:
            digits[count] = c
            count += 1
        else:
            power += 1
            has_more |= c != b"0"
    if i < size:
        i += 1
        is_below = text[i] == b"-"
        i += is_below or text[i] == b"+"
        while i < size:
            if exponent < LARGEST_EXPONENT:
                exponent = 10 * exponent + (text[i] - <char> b"0")
            i += 1
        power += -exponent if is_below else exponent
    if has_more:                            # a digit that stands for all those left out
        digits[count] = b"1"
        count += 1
        power -= 1
    if power < -100000:
        power = -100000
    elif power > 100000:
        power = 100000
    end = b"e%d" % power
    memcpy(&digits[count], <const char *> end, len(end) + 1)
    return PyOS_string_to_double(digits, NULL, NULL)


def number(bytes text not None, bytes point not None=b"."):
    """Return the nearest double of a whole text, or None if it is no number."""
    cdef cg_decimal read
    padded = text + bytes(PADDING)
    cdef const char *begin = padded
    cdef const char *end = cg_read_decimal(begin, (<const char *> point)[0], &read)
    if end == NULL or end - begin != len(text):
        return None
    if read.properties & CG_UNDECIDED:
        return decided(begin, end - begin, (<const char *> point)[0])
    return read.value


@cython.final
cdef class RowParser:
    """Reads rows of fields to [rows, numbers] of float64 and [rows, words] of int32.

    Parameters
    ----------
    separator : bytes
        One character; a blank for runs of blanks and tabs; empty: one field for each line.
    quote : bytes
        One character, or empty.
    point : bytes
        The decimal point.
    comments : bytes
        Lines that begin with one of these characters are passed over.
    kinds : bytes
        For each column NUMBERS, TEXT, NUMBERS_SO_FAR or SKIPPED.
    gaps : sequence of bytes
        Fields that are gaps: NaN among the numbers, −1 among the codes.
    gap_values : sequence of float
        The numbers that `gaps` stand for, NaN for none.
    line : int
        The number of the first line.

    Attributes
    ----------
    rows, empty_tail, line : int
        Rows so far, how many of the last ones have no field but empty ones, and the number of the next line.
    numbers, codes : bytearray
        The values of the columns of numbers and of text, row by row, complete after `finish`.
    words : list of list of str
        For each column of text its words in the order of their codes.
    jumps : bytearray
        Pairs (row, line), int64, wherever a row does not begin on the line behind the row before it.
    found_gaps : bytes
        For each of `gaps` whether it was found.
    other, rounded, zeros, infinite : dict of int to (int, bytes)
        Line and text of the first field, by column, that is no number; that is a whole number which no double equals; that
        begins with 0 before other digits, in a column of NUMBERS; that is beyond the largest double.
    failure : (str, int, int, bytes or int)
        Reason, line, column and field (or number of fields) of what cannot be read.
    """

    cdef column_state *columns
    cdef Py_ssize_t column_count, number_count, word_count
    cdef uint8_t[256] flags
    cdef char separator, quote, point
    cdef bint is_blank_separated
    cdef readonly Py_ssize_t rows, empty_tail, line
    cdef Py_ssize_t capacity, expected_line
    cdef double *row_numbers
    cdef int32_t *row_codes
    cdef char *unquoted
    cdef Py_ssize_t unquoted_size
    cdef remembered *memory
    cdef const char **gap_texts
    cdef Py_ssize_t *gap_sizes
    cdef char *gap_found
    cdef double *gap_values
    cdef Py_ssize_t gap_count
    cdef bint has_gap_values
    cdef tuple gaps
    cdef dict gap_codes
    cdef list codes_of
    cdef readonly list words
    cdef readonly bytearray numbers, codes, jumps
    cdef readonly dict other, rounded, zeros, infinite
    cdef readonly object failure
    cdef object error

    def __cinit__(self):
        self.columns, self.memory, self.unquoted, self.gap_values = NULL, NULL, NULL, NULL
        self.gap_texts, self.gap_sizes, self.gap_found = NULL, NULL, NULL
        self.unquoted_size = self.gap_count = 0

    def __init__(self, bytes separator not None, bytes quote not None, bytes point not None, bytes comments not None,
                 bytes kinds not None, gaps, gap_values, Py_ssize_t line=1):
        cdef Py_ssize_t i
        if self.columns != NULL:
            raise RuntimeError("a RowParser is made once")
        self.gaps = tuple(gaps)
        self.column_count, self.gap_count = len(kinds), len(self.gaps)
        if len(gap_values) != self.gap_count or not separator.isascii() or len(separator) > 1 or max(kinds, default=0) > KIND_SKIPPED:
            raise ValueError("the layout is not one of a text")
        self.columns = <column_state *> malloc((self.column_count + 1) * sizeof(column_state))
        self.memory = <remembered *> malloc(REMEMBERED_WORDS * sizeof(remembered))
        self.gap_texts = <const char **> malloc((self.gap_count + 1) * sizeof(char *))
        self.gap_sizes = <Py_ssize_t *> malloc((self.gap_count + 1) * sizeof(Py_ssize_t))
        self.gap_found = <char *> malloc(self.gap_count + 1)
        self.gap_values = <double *> malloc((self.gap_count + 1) * sizeof(double))
        if (self.columns == NULL or self.memory == NULL or self.gap_texts == NULL or self.gap_sizes == NULL
                or self.gap_found == NULL or self.gap_values == NULL):
            raise MemoryError()
        memset(self.memory, 0, REMEMBERED_WORDS * sizeof(remembered))
        memset(self.gap_found, 0, self.gap_count + 1)
        self.gap_codes = {}
        self.has_gap_values = False
        for i in range(self.gap_count):
            self.gap_texts[i] = <const char *> (<bytes> self.gaps[i])
            self.gap_sizes[i] = len(self.gaps[i])
            self.gap_codes[self.gaps[i].decode()] = -1 - i
            self.gap_values[i] = gap_values[i]
            self.has_gap_values |= self.gap_values[i] == self.gap_values[i]
        self.words, self.codes_of = [], []
        self.number_count = self.word_count = 0
        for i in range(self.column_count):
            self.columns[i].kind = kinds[i]
            if kinds[i] == KIND_TEXT:
                self.columns[i].slot = self.word_count
                self.word_count += 1
                self.words.append([])
                self.codes_of.append({})
            elif kinds[i] != KIND_SKIPPED:
                self.columns[i].slot = self.number_count
                self.number_count += 1
        self.separator = (<const char *> separator)[0]
        self.quote = (<const char *> quote)[0]
        self.point = (<const char *> point)[0]
        self.is_blank_separated = self.separator == b" "
        memset(self.flags, 0, sizeof(self.flags))
        self.flags[<uint8_t> b" "] = IS_BLANK
        if self.separator != b"\t":
            self.flags[<uint8_t> b"\t"] = IS_BLANK
        if self.is_blank_separated:
            self.flags[<uint8_t> b" "] |= ENDS_FIELD
            self.flags[<uint8_t> b"\t"] |= ENDS_FIELD
        for c in b"\n\r\0":
            self.flags[<uint8_t> c] |= ENDS_FIELD | ENDS_QUOTED
        self.flags[<uint8_t> self.separator] |= ENDS_FIELD
        self.flags[<uint8_t> self.quote] |= ENDS_QUOTED
        for c in comments:
            self.flags[<uint8_t> c] |= BEGINS_COMMENT
        self.rows = self.empty_tail = self.capacity = 0
        self.line, self.expected_line = line, -1
        self.numbers, self.codes, self.jumps = bytearray(), bytearray(), bytearray()
        self.other, self.rounded, self.zeros, self.infinite = {}, {}, {}, {}
        self.failure = self.error = None

    def __dealloc__(self):
        free(self.columns)
        free(self.memory)
        free(self.gap_texts)
        free(self.gap_sizes)
        free(self.gap_found)
        free(self.gap_values)
        free(self.unquoted)

    @property
    def found_gaps(self):
        return self.gap_found[:self.gap_count]

    def feed(self, const uint8_t[::1] block not None, Py_ssize_t start, Py_ssize_t stop, bint is_last):
        """Read the rows from block[start:stop], and return where the first incomplete row begins.

        PADDING zeros follow the text in the block. A row is complete at its end of line, or in the last block.
        """
        if self.columns == NULL or not 0 <= start <= stop <= block.shape[0] - PADDING or block[stop] != 0:
            raise ValueError(f"block has {block.shape[0]} bytes, expected {PADDING} zeros behind byte {stop}")
        cdef const char *p = <const char *> &block[start]
        cdef const char *end = <const char *> &block[stop]
        cdef const char *base = <const char *> &block[0]
        cdef int result = ROW_DONE
        with nogil:
            while p < end and result == ROW_DONE:
                if self.rows == self.capacity:
                    self.grow()
                    if self.error is not None:
                        break
                result = self.read_row(&p, end, is_last)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return p - base

    def finish(self):
        """Give back the memory behind the last row."""
        self.resize(self.rows)

    cdef int resize(self, Py_ssize_t rows) except -1:
        PyByteArray_Resize(self.numbers, rows * self.number_count * sizeof(double))
        PyByteArray_Resize(self.codes, rows * self.word_count * sizeof(int32_t))
        self.row_numbers = <double *> PyByteArray_AsString(self.numbers)
        self.row_codes = <int32_t *> PyByteArray_AsString(self.codes)
        self.capacity = rows
        return 0

    cdef void grow(self) noexcept with gil:
        # A row has a byte for each field at least, so the memory stays a multiple of the text.
        try:
            self.resize(self.rows + self.rows // 2 + 64 if self.rows > 0 else 1)
        except BaseException as error:
            self.error = error

    cdef int fail(self, str reason, Py_ssize_t line, Py_ssize_t column, const char *text, Py_ssize_t size) noexcept with gil:
        try:
            self.failure = (reason, line, column, text[:size] if text != NULL else size)
        except BaseException as error:
            self.error = error
        return ROW_FAILED

    cdef void remember(self, dict first, Py_ssize_t column, const char *text, Py_ssize_t size) noexcept with gil:
        try:
            if column not in first:
                first[column] = (self.line, text[:size])
        except BaseException as error:
            self.error = error

    cdef void remember_rounded(self, Py_ssize_t column, double value, const char *text, Py_ssize_t size) noexcept with gil:
        # Of many digits only the first were looked at: all of them may be those of the double. A double has 309 at most.
        try:
            if value - value != 0 or int(text[:size].lstrip(b"+-0") or b"0") != abs(int(value)):
                self.remember(self.rounded, column, text, cut(size))
        except BaseException as error:
            self.error = error

    cdef int jump(self) noexcept with gil:
        cdef int64_t[2] pair
        try:
            pair[0], pair[1] = self.rows, self.line
            self.jumps += (<const char *> pair)[:sizeof(pair)]
        except BaseException as error:
            self.error = error
            return ROW_FAILED
        return ROW_DONE

    cdef int read_row(self, const char **place, const char *end, bint is_last) noexcept nogil:
        """Read one row, or pass over one line without fields, from place[0], which moves behind it if it is complete."""
        cdef const char *p = place[0]
        cdef const char *text
        cdef const char *stop
        cdef Py_ssize_t column = 0, lines = 1, empty = 0, size
        cdef uint8_t *flags = self.flags
        cdef bint has_fields = True, is_doubled
        cdef column_state *state
        cdef column_state skipped
        cdef cg_decimal read
        cdef char c
        cdef double *numbers = self.row_numbers + self.rows * self.number_count
        cdef int32_t *codes = self.row_codes + self.rows * self.word_count
        skipped.kind, skipped.slot = KIND_SKIPPED, 0

        while flags[<uint8_t> p[0]] & IS_BLANK:
            p += 1
        if p[0] == b"\n" or p[0] == b"\r" or (p[0] == 0 and p == end):
            has_fields = False
        elif flags[<uint8_t> p[0]] & BEGINS_COMMENT:
            has_fields = False
            while p[0] != b"\n" and p[0] != b"\r" and p != end:
                p += 1

        while has_fields:
            while flags[<uint8_t> p[0]] & IS_BLANK:
                p += 1
            state = &self.columns[column] if column < self.column_count else &skipped
            text = p
            if p[0] == self.quote and self.quote != 0:
                p += 1
                text, is_doubled = p, False
                while True:
                    while not flags[<uint8_t> p[0]] & ENDS_QUOTED:
                        p += 1
                    c = p[0]
                    if c == 0:
                        if p != end:
                            return self.fail("nul", self.line, column, p, 0)
                        return self.fail("unclosed", self.line, column, text, cut(p - text)) if is_last else ROW_INCOMPLETE
                    if c == self.quote:
                        if p + 1 == end and not is_last:
                            return ROW_INCOMPLETE
                        if p[1] != c:
                            break
                        is_doubled = True
                        p += 1
                    elif c == b"\n" or p[1] != b"\n":
                        lines += 1
                    p += 1
                size = p - text
                p += 1
                stop = p
                while flags[<uint8_t> p[0]] & IS_BLANK:
                    p += 1
                if not flags[<uint8_t> p[0]] & ENDS_FIELD and not (self.is_blank_separated and p > stop):
                    return self.fail("behind quote", self.line, column, text - 1, cut(p - text + 2))
                if p == end and not is_last:
                    return ROW_INCOMPLETE
                if state.kind != KIND_SKIPPED:
                    if is_doubled:
                        size = self.undouble(text, size)
                        if size < 0:
                            return ROW_FAILED
                        text = self.unquoted
                    if not self.read_field(column, state, text, size, numbers, codes):
                        return ROW_FAILED
            else:
                if state.kind != KIND_TEXT and state.kind != KIND_SKIPPED:
                    stop = cg_read_decimal(p, self.point, &read)
                    if stop != NULL and flags[<uint8_t> stop[0]] & (ENDS_FIELD | IS_BLANK):
                        p = stop
                        while flags[<uint8_t> p[0]] & IS_BLANK:
                            p += 1
                        if flags[<uint8_t> p[0]] & ENDS_FIELD or self.is_blank_separated:
                            if p[0] == 0 and p == end and not is_last:
                                return ROW_INCOMPLETE
                            if read.properties == 0 and not self.has_gap_values:
                                numbers[state.slot] = read.value
                            elif not self.store(column, state, &read, text, stop - text, numbers):
                                return ROW_FAILED
                            stop = NULL
                    else:
                        stop = p
                else:
                    stop = p
                if stop != NULL:
                    p = text
                    while not flags[<uint8_t> p[0]] & ENDS_FIELD:
                        p += 1
                    if p[0] == 0:
                        if p != end:
                            return self.fail("nul", self.line, column, p, 0)
                        if not is_last:
                            return ROW_INCOMPLETE
                    empty += p == text
                    if state.kind != KIND_SKIPPED:
                        size = p - text
                        while size > 0 and flags[<uint8_t> text[size - 1]] & IS_BLANK:
                            size -= 1
                        if not self.read_field(column, state, text, size, numbers, codes):
                            return ROW_FAILED
                    while flags[<uint8_t> p[0]] & IS_BLANK:
                        p += 1
            column += 1
            c = p[0]
            if c == b"\n" or c == b"\r":
                break
            if c == 0:
                if p == end:
                    break
                return self.fail("nul", self.line, column - 1, p, 0)
            if not self.is_blank_separated:
                p += 1                      # the separator

        if p == end:
            if not is_last:
                return ROW_INCOMPLETE
        elif p[0] == b"\n":
            p += 1
        else:
            p += 1
            if p == end and not is_last:
                return ROW_INCOMPLETE
            if p[0] == b"\n":
                p += 1
        if has_fields:
            if column != self.column_count:
                return self.fail("fields", self.line, column, NULL, column)
            if self.line != self.expected_line and self.jump() == ROW_FAILED:
                return ROW_FAILED
            self.expected_line = self.line + 1
            self.empty_tail = self.empty_tail + 1 if empty == column else 0
            self.rows += 1
        self.line += lines
        place[0] = p
        return ROW_DONE

    cdef bint read_field(self, Py_ssize_t column, column_state *state, const char *text, Py_ssize_t size, double *numbers,
                         int32_t *codes) noexcept nogil:
        """Store a field that is quoted, text, a gap or no number. False: it cannot be read."""
        cdef int64_t code
        cdef const char *end
        cdef cg_decimal read
        cdef Py_ssize_t i
        if state.kind == KIND_TEXT:
            code = self.code_of(state.slot, column, text, size)
            if code == NO_CODE:
                return False
            if code < 0:
                self.gap_found[-1 - code] = 1
                code = -1
            codes[state.slot] = <int32_t> code
            return True
        while size > 0 and self.flags[<uint8_t> text[0]] & IS_BLANK:
            text += 1
            size -= 1
        while size > 0 and self.flags[<uint8_t> text[size - 1]] & IS_BLANK:
            size -= 1
        numbers[state.slot] = NAN
        for i in range(self.gap_count):
            if self.gap_sizes[i] == size and memcmp(self.gap_texts[i], text, size) == 0:
                self.gap_found[i] = 1
                return True
        if size > 0:
            end = cg_read_decimal(text, self.point, &read)
            if end == text + size:
                return self.store(column, state, &read, text, size, numbers)
        if state.kind == KIND_NUMBERS:
            self.fail("no number", self.line, column, text, cut(size))
            return False
        return self.change(column, state, text, size)

    cdef bint change(self, Py_ssize_t column, column_state *state, const char *text, Py_ssize_t size) noexcept nogil:
        """Skip a column from here on, because it has a field that is no number."""
        self.remember(self.other, column, text, cut(size))
        state.kind = KIND_SKIPPED
        return True

    cdef bint store(self, Py_ssize_t column, column_state *state, cg_decimal *read, const char *text, Py_ssize_t size,
                    double *numbers) noexcept nogil:
        """Store a number with properties, or one that may be a gap. False: it cannot be read."""
        cdef Py_ssize_t i
        if read.properties & CG_UNDECIDED:
            if not self.decide(read, text, size):
                return False
        if read.properties & CG_LEADING_ZERO:
            if state.kind == KIND_NUMBERS_SO_FAR:
                return self.change(column, state, text, size)
            self.remember(self.zeros, column, text, cut(size))
        if read.properties & CG_ROUNDED:
            self.remember_rounded(column, read.value, text, size)
        if read.properties & CG_INFINITE:
            self.remember(self.infinite, column, text, cut(size))
        numbers[state.slot] = read.value
        for i in range(self.gap_count):
            if read.value == self.gap_values[i]:
                self.gap_found[i] = 1
                numbers[state.slot] = NAN
        return True

    cdef bint decide(self, cg_decimal *read, const char *text, Py_ssize_t size) noexcept with gil:
        try:
            read.value = decided(text, size, self.point)
            if read.value - read.value != 0:
                read.properties |= CG_INFINITE
        except BaseException as error:
            self.error = error
            return False
        return True

    cdef Py_ssize_t undouble(self, const char *text, Py_ssize_t size) noexcept nogil:
        """Copy a quoted text to `unquoted`, with one quote for two, and return its size; −1: no memory."""
        cdef Py_ssize_t i = 0, count = 0
        cdef char *larger
        if self.unquoted_size < size + 16:
            larger = <char *> realloc(self.unquoted, 2 * size + 16)
            if larger == NULL:
                self.out_of_memory()
                return -1
            self.unquoted, self.unquoted_size = larger, 2 * size + 16
        while i < size:
            self.unquoted[count] = text[i]
            i += 2 if text[i] == self.quote else 1
            count += 1
        memset(self.unquoted + count, 0, 16)
        return count

    cdef void out_of_memory(self) noexcept with gil:
        self.error = MemoryError()

    cdef int64_t code_of(self, Py_ssize_t slot, Py_ssize_t column, const char *text, Py_ssize_t size) noexcept nogil:
        """Return the code of a word; below 0 those of gaps; NO_CODE: it is not UTF-8."""
        cdef uint64_t first = 0, last = 0, hash
        cdef remembered *entry
        if size >= 8:
            memcpy(&first, text, 8)
            memcpy(&last, text + size - 8, 8)
        else:
            memcpy(&first, text, size)
        hash = ((first ^ (last * MULTIPLIER)) + <uint64_t> (size + 64 * slot)) * MULTIPLIER
        entry = &self.memory[(hash >> 40) & (REMEMBERED_WORDS - 1)]
        if entry.size == size and entry.slot == slot and entry.text != NULL and memcmp(entry.text, text, size) == 0:
            return entry.code
        return self.look_up(entry, slot, column, text, size)

    cdef int64_t look_up(self, remembered *entry, Py_ssize_t slot, Py_ssize_t column, const char *text,
                         Py_ssize_t size) noexcept with gil:
        cdef int64_t code
        cdef list words
        try:
            word = PyUnicode_DecodeUTF8(text, size, NULL)
            found = self.gap_codes.get(word)
            if found is None:
                words = self.words[slot]
                found = (<dict> self.codes_of[slot]).setdefault(word, len(words))
                if found == len(words):
                    if len(words) == 0x7FFFFFFF:
                        raise OverflowError("more than 2147483647 different texts in a column")
                    words.append(word)
                else:
                    word = words[found]
                code = found
                entry.text = PyUnicode_AsUTF8AndSize(word, &entry.size)
                entry.slot, entry.code = slot, code
            else:
                code = found
        except UnicodeDecodeError as error:
            self.fail("utf-8", self.line, column, text, cut(size))
            return NO_CODE
        except BaseException as error:
            self.error = error
            return NO_CODE
        return code


cdef inline Py_ssize_t cut(Py_ssize_t size) noexcept nogil:
    """Return the bytes of a field that a message may need."""
    return size if size < 256 else 256
