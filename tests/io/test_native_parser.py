"""The native text parser against a slow twin made of str.split, int and float."""

from __future__ import annotations

import itertools
import random
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphsparse.backend import native

ANY = 2**63 - 1


def buffer(text: bytes) -> np.ndarray:
    out = np.full(len(text) + native.text_padding, 0x39, np.uint8)  # nines behind the text
    out[: len(text)] = np.frombuffer(text, np.uint8)
    return out


def parse(text: bytes, *, delimiter="", columns=2, weight=-1, base=0, limit=ANY, threads=1):
    return native.parse_edges(
        *(buffer(text), len(text), ord(delimiter or "\0"), columns, [0, 1, weight], 7),
        *(base, limit, threads),
    )


def twin(text: str, delimiter: str, weighted: bool) -> tuple[list, list, list]:
    rows = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip() or line.lstrip().startswith(("#", "%", "//")):
            continue
        fields = line.split(delimiter or None)
        rows.append((int(fields[0]), int(fields[1]), float(fields[2]) if weighted else None))
    u, v, w = ([row[i] for row in rows] for i in range(3))
    return u, v, w


def random_text(rng: random.Random, weighted: bool, delimiter: str) -> str:
    lines = []
    for _ in range(rng.randrange(60)):
        if rng.random() < 0.1:
            lines.append(rng.choice(["", "# note", "  ", "%x 1 2", "// 5", "\t"]))
            continue
        top = 10 ** rng.randrange(1, 10 if rng.random() < 0.9 else 19)
        fields = [str(rng.randrange(top)), str(rng.randrange(top))]
        if rng.random() < 0.1:
            fields[0] = "0" * rng.randrange(30) + fields[0]
        if weighted:
            fields.append(random_number(rng))
        gap = delimiter
        if not delimiter:
            gap = " " if rng.random() < 0.7 else rng.choice(["\t", "   ", " \t"])
        pad = ["", "", "", " ", "  "]
        lines.append(rng.choice(pad) + gap.join(fields) + rng.choice(pad))
    return rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n", "\r\n"])


def random_number(rng: random.Random) -> str:
    value = struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0]
    plain = f"{rng.uniform(-1, 1) * 10 ** rng.randrange(-3, 12):.{rng.randrange(17)}f}"
    kinds = [
        repr(value),
        f"{value:.20e}",
        plain,
        str(rng.randrange(10**15)),
        ".5",
        "5.",
        "-0",
        "+1",
    ]
    text = rng.choice(kinds)
    finite = "inf" not in text and "nan" not in text
    # below the normal doubles std::from_chars reports a range error or rounds: tested on its own
    return text if finite and (float(text) == 0 or abs(float(text)) > 1e-300) else "1.5"


@pytest.mark.parametrize("seed", range(811, 1011))
def test_agrees_with_the_twin(seed):
    rng = random.Random(seed)
    weighted, delimiter = bool(seed % 2), ["", ",", ";", "\t"][seed % 4]
    text = random_text(rng, weighted, delimiter)
    if delimiter == "\t":
        text = text.replace("\t\n", "\n").replace(" \t", "\t")
    u, v, w = twin(text, delimiter, weighted)
    got = parse(
        *(text.encode(),),
        delimiter=delimiter,
        columns=2 + weighted,
        weight=2 if weighted else -1,
    )
    assert got[3][2] == 0
    assert got[0].tolist() == u
    assert got[1].tolist() == v
    assert weighted == (got[2] is not None)
    if weighted:  # to the bit, the sign of zero included
        assert got[2].tobytes() == np.array(w).tobytes()
    wide = max([*u, *v], default=0) >= 2**31 - 1
    assert got[0].dtype == (np.int64 if wide else np.int32)
    lines = len(u) + len(got[3][0])
    assert lines == text.count("\n") + (not text.endswith("\n") and text != "")


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_threads_do_not_matter(threads, weighted):
    rng = np.random.default_rng(17)
    m = 60_000
    u, v = rng.integers(0, 10**6, (2, m))
    w = rng.normal(size=m) if weighted else np.zeros(0)
    body = native.format_edges(u, v, w, 0, 32).split(b"\n")
    for at in range(0, m, 97):
        body[at] = b"# note\n\n" + body[at]
    text = b"\n".join(body)
    one, many = (
        parse(text, columns=2 + weighted, weight=2 if weighted else -1, threads=count)
        for count in (1, threads)
    )
    assert np.array_equal(one[0], u)
    for a, b in zip(one[:2], many[:2], strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(one[3][0], many[3][0])
    assert one[3][1:] == many[3][1:]
    assert weighted == (many[2] is not None)
    if weighted:
        assert np.array_equal(many[2], w)


def test_threads_tell_the_first_fault():
    body = [b"%d %d" % (i, i + 1) for i in range(60_000)]
    body[50_000], body[30_000] = b"1 x", b"1 y"
    text = b"\n".join(body)
    for threads in (1, 2, 5):
        fault = parse(text, threads=threads)[3][2:]
        assert fault == (1, text.index(b"y"), 1)


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["r", "e", "g"]))
@example(5e-324, "r")
@example(2.2250738585072011e-308, "r")
@example(1.7976931348623157e308, "r")
def test_doubles_to_the_bit(value, style):
    text = repr(value) if style == "r" else format(value, ".25e" if style == "e" else ".17g")
    got = parse(f"0 1 {text}\n".encode(), columns=3, weight=2)
    assert got[3][2] == 0, text
    assert got[2].tobytes() == np.array([float(text)]).tobytes()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=30))
def test_integers_of_every_length(pairs):
    text = "".join(f"{u} {v}\n" for u, v in pairs)
    got = parse(text.encode())
    assert list(zip(got[0].tolist(), got[1].tolist(), strict=True)) == pairs


@pytest.mark.parametrize("digits", range(1, 25))
def test_digit_counts(digits):
    """Every path of the eight-digit loop, at every distance from the end of the text."""
    number = ("9876543210" * 3)[:digits]
    for text in (f"{number} 1", f"1 {number}", f"{number} 1\n"):
        got = parse(text.encode())
        if int(number) < ANY:
            assert max(got[0][0], got[1][0]) == int(number)
        else:
            assert got[3][2] == 3


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        (b"1 x", 1, b"x"),
        (b"1 2x", 1, b"2x"),
        (b"1.0 2", 1, b"1.0"),
        (b"+1 2", 1, b"+1"),
        (b"1 -2", 2, b"-2"),
        (b"1 99999999999999999999", 3, b"99999999999999999999"),
        (b"1 9223372036854775808", 3, b"9223372036854775808"),
        (b"1 \x01", 11, b"\x01"),
        (b"1 2\r 3", 12, b"\r"),
        (b'"1 2', 10, b'"1 2'),
        (b'"1"2 3', 10, b'"1"2 3'),
    ],
)
def test_faults(line, code, field):
    text = b"0 1\n# note\n\n" + line + b"\n5 6\n"
    got = parse(text)
    assert got[3][2] == code
    at, size = got[3][3:]
    assert at == 12 + line.index(field)
    assert text[at : at + size] == field
    assert got[0].tolist() == [0]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"1 2 x", 7),
        (b"1 2 1.5x", 7),
        (b"1 2 --5", 7),
        (b"1 2 +-5", 7),
        (b"1 2 0x10", 7),
        (b"1 2 1,5", 7),
        (b"1 2 nan", 8),
        (b"1 2 -NaN", 8),
        (b"1 2 inf", 8),
        (b"1 2 -Infinity", 8),
        (b"1 2 1e400", 9),
        (b"1 2", 6),
        (b"1 2 3 4", 6),
    ],
)
def test_weight_faults(line, code):
    assert parse(line, columns=3, weight=2)[3][2] == code


def test_base_and_limit():
    assert parse(b"1 3\n", base=1, limit=3)[:2][1].tolist() == [2]
    assert parse(b"1 0\n", base=1)[3][2:] == (4, 2, 1)
    assert parse(b"1 3\n", limit=3)[3][2:] == (5, 2, 1)
    assert parse(b"1 3000000000\n", limit=3)[3][2:] == (5, 2, 10)


def test_the_buffer_must_have_room():
    with pytest.raises(ValueError, match="64 bytes of room"):
        native.parse_edges(np.zeros(10, np.uint8), 4, 0, 2, [0, 1, -1], 7, 0, ANY, 1)


def names(text: bytes, delimiter: str = "") -> list[str]:
    pool, offsets, _, found = native.parse_names(
        buffer(text), len(text), ord(delimiter or "\0"), 2, [0, 1, -1], 7
    )
    assert found[2] == 0, found
    cuts = offsets.tolist()
    return [bytes(pool[a:b]).decode() for a, b in itertools.pairwise(cuts)]


def test_names():
    assert names("alice bob\r\n  zoë  日本 ".encode()) == ["alice", "bob", "zoë", "日本"]
    assert names(b'"a b",c d\n"x ""y""", z ', ",") == ["a b", "c d", 'x "y"', "z"]
    assert names(b'a b\tc"d\n', "\t") == ["a b", 'c"d']


def test_formatting_is_the_inverse():
    rng = np.random.default_rng(93)
    u, v = rng.integers(0, 2**40, (2, 500))
    w = np.concatenate(
        (rng.normal(size=250) * 10.0 ** rng.integers(-300, 300, 250), np.arange(250))
    )
    text = native.format_edges(u, v, w, 1, ord(","))
    got = parse(text, delimiter=",", columns=3, weight=2, base=1)
    assert np.array_equal(got[0], u)
    assert np.array_equal(got[1], v)
    assert got[2].tobytes() == w.tobytes()
