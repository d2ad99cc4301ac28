"""Values both ways. Run in the folder above: PYTHONPATH=. python -m unittest discover -s tests"""

import math
import unittest
from decimal import Decimal

import paddlewheel
from paddlewheel._values import Number, encode, is_text, parse, sayable


class Values(unittest.TestCase):
    def test_values_survive_both_ways(self) -> None:
        for text, value in [
            ("null", None),
            ("true", True),
            ("-9223372036854775808", -(2**63)),
            ("123456789012345678901234567890", 123456789012345678901234567890),
            ("1.5", 1.5),
            ("1e300", 1e300),
            ('"a\\"b\\n\\u0001é\\ud83d\\ude00"', 'a"b\n\x01é😀'),
            ('"\\ud800x"', "\ud800x"),
            ('[1,["a"],{}]', [1, ["a"], {}]),
            ('{"b":1,"a":{"c":[null,false]},"":""}', {"b": 1, "a": {"c": [None, False]}, "": ""}),
        ]:
            with self.subTest(text):
                self.assertEqual(parse(text), value)
                written = encode(parse(text))
                self.assertEqual(parse(written), value)
                self.assertTrue(is_text(written))

    def test_numbers_that_no_float_holds_keep_their_text(self) -> None:
        number = parse("1e400")
        self.assertIsInstance(number, Number)
        self.assertEqual(encode({"a": [number, 1, "b"]}), '{"a":[1e400,1,"b"]}')
        self.assertEqual(encode(Decimal("0.10")), "0.10")
        self.assertEqual(math.copysign(1, parse("-0")), -1)
        self.assertEqual(parse("1" * 5000), int("1" * 5000))

    def test_what_json_cannot_say_is_refused(self) -> None:
        for value in [float("nan"), float("inf"), {1, 2}, object(), b"bytes", {"a": Decimal("NaN")}]:
            with self.subTest(repr(value)):
                self.assertRaises((TypeError, ValueError), encode, value)

    def test_order_is_kept_and_text_is_not_escaped(self) -> None:
        self.assertEqual(encode({"z": "é", "a": (1, 2)}), '{"z":"é","a":[1,2]}')
        self.assertEqual(encode("é\ud800"), '"é\\ud800"')
        self.assertEqual(sayable("é\ud800"), "é?")

    def test_absent_is_false_and_not_none(self) -> None:
        self.assertFalse(paddlewheel.ABSENT)
        self.assertIsNot(paddlewheel.ABSENT, None)
        self.assertEqual(repr(paddlewheel.ABSENT), "ABSENT")

    def test_without_a_host_it_says_so(self) -> None:
        event = object.__new__(paddlewheel.Event)
        self.assertRaisesRegex(RuntimeError, "paddle test", event.has, "a")


if __name__ == "__main__":
    unittest.main()
