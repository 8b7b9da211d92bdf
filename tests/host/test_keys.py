"""``gr-jscc keys`` as a person runs it."""

import stat

import pytest
from typer.testing import CliRunner

from gr_jscc.errors import UserError
from gr_jscc.host.keys import app
from gr_jscc.link.back_channel import read_keys

pytestmark = pytest.mark.timeout(60)


def call(*arguments):
    """Exit code, output, and the expected error that ``gr-jscc`` would print as one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, (UserError, SystemExit)):
        raise result.exception
    return result.exit_code, result.stdout, str(result.exception or "")


def test_make_writes_one_file_for_each_host_and_show_tells_only_what_is_public(tmp_path):
    folder = tmp_path / "new" / "keys"
    code, out, _ = call("make", folder)
    assert code == 0 and [line.split(":")[0] for line in out.splitlines()] == [
        str(folder / "transmitter.key"),
        str(folder / "receiver.key"),
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["receiver.key", "transmitter.key"]
    mine, theirs = (read_keys(folder / f"{role}.key") for role in ("transmitter", "receiver"))
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        code, out, _ = call("show", path)
        assert code == 0 and mine.public in out and theirs.public in out
        assert mine.secret not in out and theirs.secret not in out


def test_keys_are_not_overwritten_by_mistake(tmp_path):
    call("make", tmp_path)
    before = (tmp_path / "receiver.key").read_text()
    (tmp_path / "transmitter.key").unlink()
    code, _, error = call("make", tmp_path)
    assert code != 0 and "already exists" in error and "\n" not in error
    assert (tmp_path / "receiver.key").read_text() == before and not (tmp_path / "transmitter.key").exists()
    assert call("make", tmp_path, "--force")[0] == 0
    assert (tmp_path / "receiver.key").read_text() != before
    assert read_keys(tmp_path / "receiver.key").peer_public == read_keys(tmp_path / "transmitter.key").public


def test_a_file_that_others_can_read_or_that_is_none_is_refused(tmp_path):
    call("make", tmp_path)
    file = tmp_path / "receiver.key"
    file.chmod(0o640)
    assert "chmod 600" in call("show", file)[2]
    file.chmod(0o600)
    whole = file.read_text()
    for text in ("", "role = 1", whole.replace("receiver", "sender"), whole[:-10], whole + 'more = "x"\n', "\0"):
        file.write_text(text)
        assert call("show", file)[2] == f"not a key file: {file}"
    assert "cannot read the keys" in call("show", tmp_path / "missing.key")[2]
    (tmp_path / "plain").write_text("")
    assert "cannot write keys" in call("make", tmp_path / "plain" / "below")[2]
