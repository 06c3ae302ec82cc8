"""[PY-3] [PY-6] Where a server is: addresses, strings of --parallel, tokens; and what a lost server is."""

import io
import os
import socket
import threading
import unittest
from unittest import mock

import manyhands
from manyhands import PlatformError

from .support import LiveTest


class Specs(unittest.TestCase):
    def test_py_3_are_read_as_the_sdk_reads_them(self):
        for text, url, options in [
            ("dc:head", "http://head:9990", {}),
            ("dc:head:80:priority=5:name=night run", "http://head:80", {"priority": "5", "name": "night run"}),
            ("dc:host=head:port=81", "http://head:81", {}),
            ("dc:[::1]:9990", "http://[::1]:9990", {}),
            ("head:9990", "http://head:9990", {}),
            ("http://head:9990:token=x\\:y", "http://head:9990", {"token": "x:y"}),
            ("https://host/manyhands", "https://host/manyhands", {}),
            ("http://a:1,https://b/lab, http://[::1]:2:name=x", "http://a:1,https://b/lab, http://[::1]:2", {"name": "x"}),
        ]:
            with self.subTest(text):
                spec = manyhands._parse_spec(text)
                self.assertEqual((spec.url, spec.options), (url, options))

    def test_py_3_what_cannot_be_read_is_shown_with_its_place(self):
        for text, message in [
            ("thread:4", "at character 1: thread starts sandboxes"),
            ("mpi:4:/scratch", "mpi starts"),
            ("dc:head:x", "at character 9: expected a whole number"),
            ("dc:head:80:colour=red", 'at character 12: "colour" is no option'),
            ("dc:head:80:name=a:name=b", "name.* stands there twice"),
            ("dc:", "expected the host"),
            ("nonsense", "expected dc"),
            ("http://a:1,b:2", "at character 11: expected the end, or options"),
        ]:
            with self.subTest(text):
                with self.assertRaisesRegex(PlatformError, message) as caught:
                    manyhands._parse_spec(text)
                self.assertEqual(caught.exception.code, "BAD_OPTION")

    def test_py_3_an_address_that_is_none_is_refused(self):
        for text in ["ftp://host", "http://", "http://a:b@host"]:
            with self.assertRaisesRegex(PlatformError, "no server address"):
                manyhands._server_address(text)

    def test_servers_5_addresses_are_a_list_with_each_once(self):
        self.assertEqual(manyhands._server_addresses("a:1, http://b/x,a:1/"), ["http://a:1/", "http://b/x/"])
        for text in ["a,,b", ",".join(f"s{n}" for n in range(17))]:
            with self.assertRaises(PlatformError) as caught:
                manyhands._server_addresses(text)
            self.assertEqual(caught.exception.code, "BAD_ARGUMENT")

    def test_py_3_a_token_may_end_with_a_line_break(self):
        self.assertEqual(manyhands._clean_token("mh_c_x\n"), "mh_c_x")
        self.assertRaisesRegex(PlatformError, "The token holds", manyhands._clean_token, "mh c")


class Connecting(LiveTest):
    def test_py_3_the_token_of_a_server_on_this_machine_is_found(self):
        with mock.patch.dict(os.environ):
            del os.environ["MANYHANDS_TOKEN"]
            with manyhands.connect() as hands:
                self.assertIn("version", hands.status())
            os.environ["XDG_STATE_HOME"] = "/nowhere"
            with self.assertRaises(PlatformError) as caught:
                manyhands.connect()
            self.assertEqual(caught.exception.code, "UNAUTHENTICATED")

    def test_py_3_name_and_priority_of_the_string_are_those_of_its_jobs(self):
        with manyhands.connect(f"{os.environ['MANYHANDS_SERVER']}:name=night run:priority=7") as hands:
            job = hands.map("x => x", [1])
            job.gather()
            self.assertEqual((job.status()["name"], job.status()["priority"]), ("night run", 7))

    def test_py_3_a_server_that_is_not_there_is_told_of(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        with self.assertRaises(PlatformError) as caught:
            manyhands.connect(f"127.0.0.1:{port}", connect_timeout=0.2)
        self.assertEqual(caught.exception.code, "UNREACHABLE")
        self.assertIn("Check that the server runs", str(caught.exception))

    def test_servers_5_a_server_that_is_not_there_is_passed_over(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with manyhands.connect(f"{dead},{os.environ['MANYHANDS_SERVER']}") as hands:
            self.assertEqual(hands.map("x => x * x", range(5)).gather(), [0, 1, 4, 9, 16])
            self.assertEqual(hands.url, manyhands._server_address(os.environ["MANYHANDS_SERVER"]))

    def test_servers_5_a_server_that_is_silent_leaves_time_for_the_next(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with manyhands.connect(f"{address},{os.environ['MANYHANDS_SERVER']}", connect_timeout=3) as hands:
                self.assertIn("version", hands.status())

    def test_py_6_close_ends_whatever_waits(self):
        hands = manyhands.connect()
        job = hands.map("() => 1", [1], requires={"memoryMb": 60_000})
        job.submitted()
        threading.Timer(0.2, hands.close).start()
        with self.assertRaisesRegex(PlatformError, "closed with hands.close"):
            job.gather()
        self.hands.job(job.id).cancel()

    def test_a_bar_is_for_terminals(self):
        with mock.patch("sys.stderr", io.StringIO()) as written:
            self.hands.map("x => x", [1]).gather(progress=True)
        self.assertEqual(written.getvalue(), "")
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        with mock.patch("sys.stderr", terminal):
            self.hands.map("x => x", [1, 2, 3], progress=True).gather()
        self.assertRegex(terminal.getvalue(), r"100% · 3/3")
