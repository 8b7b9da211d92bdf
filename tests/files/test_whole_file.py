"""Two that write one file each write theirs whole, and nothing half-written keeps its name."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from gr_jscc.files.locks import lock, locked, open_alone, release
from gr_jscc.files.whole import PARTS, whole, write_whole

pytestmark = pytest.mark.timeout(30)


def test_of_two_writers_of_one_file_the_later_leaves_its_own(tmp_path):
    path = tmp_path / "page.html"
    with whole(path) as first, whole(path) as second:
        assert first != second
        first.write_text("first" * 1000)
        second.write_text("second")
    assert path.read_text() == "first" * 1000  # the outer one ended last
    assert list(tmp_path.iterdir()) == [path]


def test_many_threads_that_write_one_file_leave_one_of_their_texts(tmp_path):
    path, texts = tmp_path / "x.json", [str(number) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_whole, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x.json", "\u56fe" * 85, "n" * 255])
def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, name):
    path = tmp_path / name
    write_whole(path, "before")
    with pytest.raises(ZeroDivisionError), whole(path) as part:
        part.write_text("half")
        assert part.match(PARTS)
        raise ZeroDivisionError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_being_written_is_not_emptied_by_another(tmp_path):
    path = tmp_path / "air.part"
    first = open_alone(path)
    first.write(b"mine")
    with pytest.raises(BlockingIOError):
        open_alone(path)
    assert path.read_bytes() == b"mine"
    os.replace(path, tmp_path / "air")
    second = open_alone(path)  # another file by now
    first.close()
    assert (tmp_path / "air").read_bytes() == b"mine" and path.read_bytes() == b""
    second.close()
    path.write_bytes(b"left by a killed program")
    open_alone(path).close()
    assert path.read_bytes() == b""


def test_a_lock_ends_when_it_is_let_go_of(tmp_path):
    with locked(tmp_path):
        with pytest.raises(BlockingIOError):
            lock(tmp_path)
        with pytest.raises(BlockingIOError), locked(tmp_path):
            pass
    release(lock(tmp_path))
    with locked(tmp_path / "nowhere"):  # what cannot be locked is used without
        pass


def test_a_lock_ends_with_the_process_that_took_it_whatever_it_has_forked(tmp_path):
    text = f"""
import os, time
from pathlib import Path
from gr_jscc.files.locks import lock
lock(Path({str(tmp_path)!r}))
if not os.fork():
    print(os.getpid(), flush=True)  # by the child, which has let go of the lock by then
time.sleep(60)
"""
    program = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    child = int(program.stdout.readline())
    with pytest.raises(BlockingIOError):
        lock(tmp_path)
    program.kill()
    program.wait()
    try:
        release(lock(tmp_path))
    finally:
        os.kill(child, signal.SIGKILL)
