"""Addresses that nobody else has, and other programs at the other end."""

import subprocess
import sys
from pathlib import Path

import pytest

from gr_jscc.ports import free_addresses


@pytest.fixture
def endpoint(tmp_path):
    """Makes endpoints: "tcp" on a free port, or "ipc"."""

    def make(transport):
        if transport == "ipc":
            return f"ipc://{tmp_path}/air{len(list(tmp_path.glob('air*')))}"
        return free_addresses(1)[0]

    return make


@pytest.fixture
def start():
    """Starts Python programs (a script and its arguments); what still runs is killed in the end."""
    running = []

    def run(script, *arguments, **options):
        command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options))
        return running[-1]

    yield run
    for program in running:
        program.kill()
        program.communicate()
