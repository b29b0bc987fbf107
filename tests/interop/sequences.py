"""Byte sequences of group 6 of the Autobahn test suite, which has most of them from Markus Kuhn's UTF-8 test."""

KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
SURROGATE = KOSME + b"\xed\xa0\x80" + b"edited"
MISSING_LAST = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
                b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]
HIGH, LOW = (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"), (b"\xed\xb0\x80", b"\xed\xbf\xbf")
# U+nFFFE and U+nFFFF of the planes 1 to 16.
NON_CHARACTERS = [chr(plane << 16 | last).encode() for plane in range(1, 17) for last in (0xfffe, 0xffff)]
# By the number of their group: 6.5 to 6.23.
SEQUENCES = {
    5: ("valid", [b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", KOSME]),
    6: ("each beginning of a valid text", [KOSME[:n] for n in range(1, len(KOSME) + 1)]),
    7: ("first of each length", [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]),
    8: ("first of 5 and 6 bytes", [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
    9: ("last of each length", [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]),
    10: ("last of 4, 5 and 6 bytes", [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]),
    11: ("other boundaries", [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]),
    12: ("continuation bytes alone", [b"\x80", b"\xbf", *(b"\x80\xbf\x80\xbf\x80\xbf"[:n] for n in range(2, 7)), bytes(range(0x80, 0xbf))]),
    13: ("start bytes alone", [b"".join(bytes([n, 0x20]) for n in range(*ends))
                               for ends in ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd))]),
    14: ("the last continuation byte missing", MISSING_LAST),
    15: ("incomplete sequences in a row", [b"".join(MISSING_LAST)]),
    16: ("impossible bytes", [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    17: ("overlong slash", [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"]),
    18: ("longest overlong", [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"]),
    19: ("overlong NUL", [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"]),
    20: ("single surrogates", [*HIGH, b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf"]),
    21: ("pairs of surrogates", [high + low for high in HIGH for low in LOW]),
    22: ("non-characters, valid", [b"\xef\xbf\xbe", b"\xef\xbf\xbf", *NON_CHARACTERS]),
    23: ("specials, valid", [b"\xef\xbf" + bytes([last]) for last in range(0xb9, 0xc0)]),
}
