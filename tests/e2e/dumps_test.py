"""Heap dumps: one file for each dump that is asked for, and no other; no file that is
there is ever overwritten."""

import os
import signal
import socket
import threading
import time

import pytest

from checks import check, equal
from commands import run
from heap_profile import HeapProfile
from servers import Server, never_stops
from tree import BUILD, scratch


def names(server):
    """What is in the server's profile directory."""
    return sorted(os.listdir(server.profiles))


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def in_directory(name, profiles, *options, **more):
    """A server that shares its profile directory with others."""
    server = Server(name, "--profile-dir", profiles, *options, **more)
    server.profiles = profiles
    return server


@pytest.mark.slow
def test_server_that_was_asked_for_no_dump_leaves_no_file():
    """A server that was asked for no dump leaves no file, however it ends."""
    for name, profile, sign in (
        ("leaky", "exact", signal.SIGTERM),
        ("leaky", "exact", signal.SIGINT),
        ("leaky", "off", signal.SIGTERM),
        ("fixed", "exact", signal.SIGTERM),
    ):
        server = Server(name, "--profile", profile)
        server.leak("slice-prefix")
        status = 200 if profile == "exact" else 501
        server.get("/debug/pprof/heap").expect(status)
        server.stop(sign=sign)
        equal(names(server), [], f"files of {name} with --profile {profile}")


def test_after_dumps_there_are_these_and_no_more_to_byte():
    """After dumps there are these and no more, to the byte, also at a second signal."""
    for twice in (False, True):
        server = Server("leaky", env={"LD_PRELOAD": never_stops()} if twice else {})
        server.leak("slice-prefix")
        before = {path: contents(path) for path in (server.dump(), server.dump())}
        server.leak("global-list")
        if twice:
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            check(server.process.poll() is None, "it ended at the first signal")
            server.stop(limit=1)
        else:
            server.stop()
        equal(names(server), ["leaky.0001.heap", "leaky.0002.heap"], "files")
        for path, content in before.items():
            equal(contents(path) == content, True, f"{path} is as it was")


def test_server_that_cannot_listen_leaves_no_file():
    """A server that cannot listen leaves no file."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        profiles = scratch()
        port = taken.getsockname()[1]
        program = os.path.join(BUILD, "leaky")
        options = ("--port", port, "--debug-port", "0", "--profile-dir", profiles)
        equal(run(program, *options, check_exit=False).returncode, 1, "exit")
        equal(os.listdir(profiles), [], "files")


@pytest.mark.slow
def test_restarted_server_goes_on_with_number_after_highest():
    """A restarted server goes on with the number after the highest, and touches
    none."""
    profiles = scratch()
    kept = {}
    for session in range(3):
        with in_directory("leaky", profiles) as server:
            server.leak("slice-prefix", count=session + 1)
            path = server.dump()
            equal(os.path.basename(path), f"leaky.{session + 1:04d}.heap", "its name")
            kept[path] = contents(path)
            server.stop()
    with in_directory("fixed", profiles) as server:
        equal(os.path.basename(server.dump()), "fixed.0001.heap", "the other server's")
        server.stop()
    os.unlink(os.path.join(profiles, "leaky.0001.heap"))
    with in_directory("leaky", profiles) as server:
        equal(os.path.basename(server.dump()), "leaky.0004.heap", "not the free 0001")
        server.stop()
    for path, content in list(kept.items())[1:]:
        equal(contents(path) == content, True, f"{path} is as it was")


def test_file_or_link_that_has_next_number_is_passed_over_and_not():
    """A file or link that has the next number is skipped and not followed."""
    with Server("leaky") as server:
        outside = os.path.join(scratch(), "mine")
        write(outside, "mine")
        write(os.path.join(server.profiles, "leaky.0001.heap"), "old")
        os.symlink(outside, os.path.join(server.profiles, "leaky.0002.heap"))
        os.symlink(outside + "-none", os.path.join(server.profiles, "leaky.0003.heap"))
        os.mkdir(os.path.join(server.profiles, "leaky.0004.heap"))
        equal(os.path.basename(server.dump()), "leaky.0005.heap", "its name")
        equal(contents(outside), b"mine", "the file behind the link")
        check(not os.path.exists(outside + "-none"), "a dangling link was followed")
        old = contents(os.path.join(server.profiles, "leaky.0001.heap"))
        equal(old, b"old", "the old file")


def test_dumps_at_once_of_two_servers_in_one_directory():
    """Dumps at once, of two servers in one directory: each has a file of its own."""
    profiles = scratch()
    with in_directory("leaky", profiles) as one, in_directory("leaky", profiles) as two:
        paths = []

        def dump_many(server, debug):
            for _ in range(10):
                reply = server.post("/debug/heap/dump", debug=debug).expect(200).json()
                paths.append(reply["path"])
                with open(reply["path"], encoding="ascii") as file:
                    profile = HeapProfile(file.read())
                equal(profile.bytes, reply["in_use_bytes"], "bytes in use")

        failures = []

        def client(*arguments):
            try:
                dump_many(*arguments)
            except Exception as error:
                failures.append(repr(error))

        clients = [
            threading.Thread(target=client, args=(server, debug))
            for server in (one, two)
            for debug in (False, True)
        ]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        equal(failures, [], "failures")
        equal(len(set(paths)), 40, "different files")
        numbers = [f"leaky.{number:04d}.heap" for number in range(1, 41)]
        equal(sorted(os.listdir(profiles)), numbers, "files")


def test_dump_that_cannot_be_written_whole_is_error_and_leaves():
    """A dump that cannot be written whole is an error and leaves no file."""
    # The shell's limit is 8 blocks of 512 bytes, and no profile is so small.
    limit = ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh")
    with Server("leaky", wrapper=limit) as server:
        write(os.path.join(server.profiles, "leaky.0001.heap"), "old")
        error = server.post("/debug/heap/dump").error(500, "dump_failed")
        check("File too large" in error["message"], error)
        equal(names(server), ["leaky.0001.heap"], "files")
        server.get("/healthz").expect(200)
        server.stop()
        equal(names(server), ["leaky.0001.heap"], "files")


def test_profile_directory_that_has_gone_is_error_made_again():
    """A profile directory that has gone is an error; made again, it is used."""
    with Server("leaky") as server:
        os.rmdir(server.profiles)
        error = server.post("/debug/heap/dump").error(500, "dump_failed")
        check("--profile-dir" in error["hint"], error)
        check(f"'{server.profiles}'" in error["message"], error)
        os.mkdir(server.profiles)
        equal(os.path.basename(server.dump()), "leaky.0001.heap", "its name")
