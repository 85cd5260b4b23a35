"""The rules of Windows, on Linux: what is open or mapped is neither removed, renamed nor replaced.

Nor is a folder that holds it, nor is a mapped file cut short. Python tells its audit hooks of each
such call before it makes it, and a hook that raises keeps it from being made. Who uses a file is
read from ``/proc``: of the process that runs the tests, and of those that it started.

``make test-windows-rules`` sets the variable. Child processes find this module by ``PYTHONPATH``,
as Python imports ``sitecustomize`` by itself. What SQLite and other C libraries remove is not seen.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "LFM2_COLBERT_WINDOWS_RULES"
_TESTS = "LFM2_COLBERT_WINDOWS_RULES_PROCESS"  # number of the process that runs the tests
_IN_USE = "The process cannot access the file because it is being used by another process"
_MAPPED = "The requested operation cannot be performed on a file with a user-mapped section open"
_sync = os.fsync
_looking = False


def install() -> None:
    """Let this process, and those that it starts, obey the rules from now on; for good."""
    if sys.platform != "linux":
        return
    os.environ[_TESTS] = str(os.getpid())
    if os.fsync.__module__ == "sitecustomize":  # a hook cannot be taken away: one is enough
        return
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    sys.addaudithook(_hook)
    _fsync.__module__ = "sitecustomize"  # whatever name this module was imported by
    os.fsync = _fsync


def _fsync(handle: int) -> None:
    """Flush only what may be written, and folders not at all, which Windows has no handles to."""
    reading = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    if reading and stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(errno.EBADF, "Bad file descriptor")
    _sync(handle)


def users(path: str) -> Iterator[int]:
    """Name the processes that use a file, or one below a folder."""
    for process in _relatives():
        with suppress(OSError):  # it has ended, or is another user's
            if _maps(process, path) or _opens(process, path):
                yield process


def _hook(event: str, arguments: tuple) -> None:
    global _looking
    if event not in ("os.remove", "os.rmdir", "os.rename", "open") or _looking:
        return
    _looking = True
    try:
        _check(event, arguments)
    finally:
        _looking = False


def _check(event: str, arguments: tuple) -> None:
    if event == "open":
        path, _, flags = arguments
        if flags & os.O_TRUNC and isinstance(path, (str, bytes)) and os.path.isfile(path):
            real = os.path.realpath(os.fsdecode(path))
            if any(_maps(process, real) for process in _relatives()):
                raise _refusal(errno.EINVAL, _MAPPED, path, 1224)
    elif event == "os.rename":
        source, target, source_folder, target_folder = arguments
        found = _full(source, source_folder), _full(target, target_folder)
        if os.path.isdir(found[1]):
            raise PermissionError(errno.EACCES, "Access is denied", source, None, target)
        _require_unused(*found)
    else:
        _require_unused(_full(*arguments))


def _require_unused(*paths: str) -> None:
    for path in paths:
        if next(users(path), None) is not None:
            raise _refusal(errno.EACCES, _IN_USE, path, 32)


def _refusal(number: int, text: str, path: str | bytes, winerror: int) -> OSError:
    """Make an error, in a frame that is not part of its traceback: else it would keep itself."""
    error = OSError(number, text, path)
    error.winerror = winerror
    return error


def _full(path: str | bytes | os.PathLike, folder: int) -> str:
    """Return an absolute path whose last part may be a link, the others not."""
    name = os.fsdecode(path)
    if folder >= 0:
        name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    parent, last = os.path.split(os.path.abspath(name))
    return os.path.join(os.path.realpath(parent), last)


def _maps(process: int, path: str) -> bool:
    try:
        with open(f"/proc/{process}/maps", "rb") as file:
            text = file.read()
    except OSError:
        return False
    name = os.fsencode(path)
    return b" " + name + b"\n" in text or b" " + name + b"/" in text


def _opens(process: int, path: str) -> bool:
    """Tell whether a file is open; a folder never is on Windows, or need not be."""
    root = f"/proc/{process}/fd"
    for number in os.listdir(root):
        with suppress(OSError):  # closed meanwhile
            name = os.readlink(f"{root}/{number}")
            inside = name == path or name.startswith(f"{path}/")
            if inside and stat.S_ISREG(os.stat(f"{root}/{number}").st_mode):
                return True
    return False


def _relatives() -> list[int]:
    """Return this process and those that it started; and, where a test started it, the test's."""
    mine, parents = os.getpid(), _parents()
    top = mine
    if os.environ.get(_TESTS) != str(mine) and os.environ.get(_TESTS, "").isdigit():
        top = int(os.environ[_TESTS])
    found = [mine]
    for process in parents:
        ancestor = process
        while ancestor in parents and ancestor != top:
            ancestor = parents[ancestor]
        if ancestor == top and process != mine:
            found.append(process)
    return found


def _parents() -> dict[int, int]:
    """Return the parent of each living process of this session."""
    parents, session = {}, os.getsid(0)
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it has ended
            if os.getsid(int(name)) == session:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    parents[int(name)] = int(parent)
    return parents


if sys.platform == "linux":
    import fcntl

    if os.environ.get(VARIABLE):
        tests = os.environ.get(_TESTS)
        install()
        os.environ[_TESTS] = tests or str(os.getpid())
