"""Children that stay, so that several libraries can be measured in turns."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path
from typing import Any

from .children import Result, environment


class StandingChild:
    """A process that opens what is measured, and is then asked time and again.

    Args:
        python: the interpreter.
        script: a program that calls :func:`.inside.serve_turns`.
        job: what it is to open.
        base: path of the job's files, without a suffix: job and log lie there.
        threads: that libraries are told to use.
        timeout: seconds that it may take to open, and to answer.

    Attributes:
        opened: what it said when it had opened; under ``error`` why it could not.
    """

    def __init__(
        self, python: Path, script: Path, job: Result, base: Path, *, threads: int, timeout: float
    ) -> None:
        base.parent.mkdir(parents=True, exist_ok=True)
        self._timeout = timeout
        self._answers, answers = os.pipe()
        file = base.with_name(f"{base.name}.job.json")
        file.write_text(json.dumps(job | {"answers": answers}), encoding="utf-8")
        with base.with_name(f"{base.name}.log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(python), "-I", str(script), str(file)], stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT, env=environment(threads), cwd=base.parent,
                pass_fds=[answers],
            )  # fmt: skip
        os.close(answers)
        self._read = b""
        self.opened = self._answer()

    def ask(self, **task: Any) -> Result:
        """Let it do something, and return what it measured, or why it did not as ``error``."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(task).encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            return {"error": f"Exit status {self._process.wait()}."}
        return self._answer()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._answers)
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _answer(self) -> Result:
        while b"\n" not in self._read:
            if not select.select([self._answers], [], [], self._timeout)[0]:
                return {"error": f"Stopped after {self._timeout:.0f} seconds."}
            part = os.read(self._answers, 1 << 16)
            if not part:
                return {"error": f"Exit status {self._process.wait()}."}
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        answer: Result = json.loads(line)
        return answer
