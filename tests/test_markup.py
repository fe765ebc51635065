"""What is shown in HTML: escaped, and coloured such that it can be read."""

from __future__ import annotations

import colorsys
import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.markup import (
    BIT_LEVELS,
    COLOURS,
    SIGN_LEVELS,
    a_second,
    activation_class,
    coloured,
    escaped,
    facts,
    for_shell,
    printable,
    surprise_class,
    table,
)
from pages import Seen

NAMES = [
    *(
        "a",
        "runs/book-2",
        "",
        "my run",
        "it's",
        "-dash",
        "two\nlines",
        "\x1b[31m",
        "a `b`",
        "$HOME;ls",
        "é ü",
    ),
    *("\\'\n\"", "\udcff\n7", "\u202eé", "!x", "~", "*"),
]
EVIL = "<script>alert('1')</script>&\"<b>"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_command_is_read_by_a_shell_as_it_was(name):
    quoted = for_shell(name)
    read = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True).stdout
    assert read == os.fsencode(f"./{name}" if name.startswith("-") else name)
    assert printable(quoted) == quoted
    assert "\n" not in quoted


def test_a_name_that_is_plain_in_a_command_stays_as_it_is():
    assert for_shell("runs/alice_2.txt") == "runs/alice_2.txt"
    assert for_shell("my run") == "'my run'"
    assert for_shell("-dash") == "./-dash"


@given(st.text(st.characters()))
def test_whatever_is_escaped_is_seen_as_text(text):
    seen = Seen(f'<p title="{escaped(text)}">{escaped(text)}</p>')
    assert [tag for tag, _ in seen.tags] == ["p"]
    assert len(seen.text) == len(text)
    assert seen.text == seen.tags[0][1]["title"]


def test_what_html_does_not_have_is_replaced():
    assert escaped("a\0\x1b\x85\ufffe\U0010ffff\ud800b") == "a␀␛\ufffd\ufffd\ufffd\ufffdb"


def test_tables_escape_all_that_they_hold():
    for source in (table(EVIL, [EVIL], [[EVIL, EVIL]]), facts(EVIL, {EVIL: EVIL})):
        assert "script" not in {tag for tag, _ in Seen(source).tags}
        assert Seen(source).text.count("alert('1')") == source.count("alert(&#x27;1&#x27;)") >= 3


def test_facts_leave_out_what_is_not_known():
    assert "loss" not in facts("run", {"updates": 3, "loss": None})
    assert "updates" in facts("run", {"updates": 0, "loss": None})


def test_coloured_text_has_an_element_for_each_run_of_a_class():
    source = coloured("ab<c", ["b1", "b1", "b2", "b1"])
    assert (
        source == '<div class="hornbook-text"><i class=b1>ab</i><i class=b2>&lt;</i><i class=b1>c</i></div>'
    )


@pytest.mark.parametrize(
    ("bits", "kind"),
    [(0, "b0"), (0.99, "b0"), (1, "b1"), (7.99, "b7"), (8, "b8"), (300, "b8"), (-1e-9, "b0")],
)
def test_surprise_is_coloured_by_whole_bits(bits, kind):
    assert surprise_class(bits) == kind


def test_what_is_not_known_or_not_finite_has_a_colour_too():
    assert surprise_class(3, known=False) == "u"
    assert surprise_class(float("inf")) == surprise_class(float("nan")) == "b8"


@pytest.mark.parametrize(
    ("activation", "kind"), [(0, "p0"), (-0.01, "n0"), (0.5, "p3"), (1, "p5"), (-1, "n5"), (-0.999, "n5")]
)
def test_activations_are_coloured_by_sign_and_size(activation, kind):
    assert activation_class(activation) == kind


def luminance(red, green, blue):
    """Relative luminance, as WCAG 2 defines it."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    """The contrast of two luminances, from 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_can_be_read_in_light_and_in_dark_mode(dark):
    light_part, dark_part = COLOURS.split("@media")
    part, grey = (dark_part, 0xF4 / 255) if dark else (light_part, 0x11 / 255)
    found = re.findall(r"\.([bpn]\d)\{background:hsl\((\d+) (\d+)% ([\d.]+)%\)\}", part)
    assert len(found) == BIT_LEVELS + 2 * SIGN_LEVELS
    for name, hue, saturation, lightness in found:
        rgb = colorsys.hls_to_rgb(int(hue) / 360, float(lightness) / 100, int(saturation) / 100)
        assert contrast(luminance(*rgb), luminance(grey, grey, grey)) >= 4.5, name


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (1 / 7, "0.14"),
        (0.0123, "0.012"),
        (3.21, "3.2"),
        (9.96, "10"),
        (12.4, "12"),
        (1234.5, "1,234"),
        (0.0, "0"),
    ],
)
def test_a_speed_below_ten_has_two_digits(speed, words):
    assert a_second(speed) == words
