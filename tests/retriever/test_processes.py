"""A retriever in many processes: forked at any moment, pickled, in memory, and killed."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
import time

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.storage import memory

from ..windows import KEEPS_WHAT_IS_IN_USE

pytestmark = pytest.mark.subprocess

# So many forks while other threads read and write; 200 show a lock that is held a hundredth part
# of the time.
FORKS = int(os.environ.get("LFM2_COLBERT_FORKS", "5"))
needs_fork = pytest.mark.skipif(
    KEEPS_WHAT_IS_IN_USE or not hasattr(os, "fork"), reason="the platform does not fork"
)

LOADED = """
    import os, sys, threading, time
    from lfm2_colbert_rag import Retriever
    where, model, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
    texts = dict(ids=["a", "b"], texts=["one passage", "another text"])
    if where == "memory":
        retriever = Retriever.from_texts(model=model, **texts)
    else:
        retriever = Retriever.open(where, model=model)
        retriever.add(**texts)
    view = retriever.view(tenant="acme")
    view.add(**texts)
    stop, errors = threading.Event(), []

    def keep(act):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                act(number)
            except BaseException as error:
                errors.append(repr(error))
                return

    modes = ("late", "lexical", "hybrid")
    acts = [lambda n: retriever.search(f"one {n}", mode=modes[n % 3])] * 2
    acts += [lambda n: retriever.view(tenant="acme").search(f"one {n}", mode=modes[n % 3])]
    acts += [lambda n: retriever.add([f"parent {n}"], ids=["parent"])]
    threads = [threading.Thread(target=keep, args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    hung = failed = 0
    for number in range(forks):
        pid = os.fork()
        if pid == 0:
            assert len(retriever.search("one passage", mode=modes[number % 3])) > 0
            assert len(view.search("one passage", mode=modes[number % 3])) > 0
            retriever.add([f"child {number}"], ids=[f"c{number}"])
            if number % 2:
                retriever.close()
            sys.exit(0)
        for _ in range(6000):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                failed += status != 0
                break
            time.sleep(0.01)
        else:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            hung += 1
    stop.set()
    for thread in threads:
        thread.join()
    lost = [number for number in range(forks) if f"c{number}" not in retriever]
    print(hung, failed, errors, lost)
"""


def python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_fork
@pytest.mark.parametrize(
    ("where", "model"), [("disk", "hash"), pytest.param("memory", "hash", marks=pytest.mark.slow)]
)
def test_a_process_that_reads_and_writes_may_fork_at_any_moment(folder, where, model):
    """Each child reads and writes, and none hangs; the parent goes on as if nothing had been."""
    told = python(LOADED, folder if where == "disk" else where, model, FORKS)
    assert told == "0 0 [] []"


@pytest.mark.slow
@needs_fork
def test_a_model_of_the_parent_answers_in_the_child(folder):
    told = python(LOADED, folder, "nano", max(2, FORKS // 8))
    assert told == "0 0 [] []"


HALF_DONE = """
    import os, sys, threading
    from lfm2_colbert_rag import Hit, Retriever  # noqa: F401 - knows forks
    begun, go_on = threading.Event(), threading.Event()

    def find():
        begun.set()
        go_on.wait()
        return ()

    slow, quick = (Hit("x", 1.0, 1.0, "text", {}, _find_evidence=each) for each in (find, tuple))
    thread = threading.Thread(target=lambda: slow.evidence)
    thread.start()
    begun.wait()
    pid = os.fork()
    if pid == 0:
        threading.Timer(30, os._exit, (1,)).start()
        os._exit(len(quick.evidence))
    _, status = os.waitpid(pid, 0)
    go_on.set()
    print(status)
"""


@needs_fork
def test_what_another_thread_was_working_out_is_not_locked_in_the_child():
    """Python before 3.12 has a lock for each cached property."""
    assert python(HALF_DONE) == "0"


POOLED = """
    import multiprocessing, sys, threading
    from joblib import Parallel, delayed
    from lfm2_colbert_rag import Retriever

    def work(retriever, number):
        assert retriever.search("one passage", k=1)
        return retriever.add([f"child {number}"], ids=[f"c{number}"])[0]

    if __name__ == "__main__":
        where, method, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3])
        retriever = Retriever.open(where, model="hash", lock_timeout=120)
        retriever.add(["one passage"], ids=["a"])
        stop, errors = threading.Event(), []

        def keep(act):
            while not stop.is_set():
                try:
                    act()
                except BaseException as error:
                    errors.append(repr(error))
                    return

        acts = [lambda: retriever.search("one", mode="hybrid")] * 2
        acts += [lambda: retriever.add(["parent"], ids=["parent"])]
        threads = [threading.Thread(target=keep, args=(act,), daemon=True) for act in acts]
        for thread in threads:
            thread.start()
        jobs = [(retriever, number) for number in range(tasks)]
        if method == "joblib":
            done = Parallel(n_jobs=2)(delayed(work)(*job) for job in jobs)
        else:
            context = multiprocessing.get_context(method)
            with context.Pool(2, maxtasksperchild=1) as pool:
                done = pool.starmap(work, jobs, chunksize=1)
        stop.set()
        for thread in threads:
            thread.join()
        print(len(done), errors, [id for id in done if id not in retriever])
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", [*multiprocessing.get_all_start_methods(), "joblib"])
def test_pools_of_busy_processes_lose_nothing(folder, tmp_path, method):
    """Each worker does one task and is replaced, while threads of its parent read and write."""
    pytest.importorskip("joblib")
    script = tmp_path / "pooled.py"  # what spawned workers import
    script.write_text(textwrap.dedent(POOLED), "utf-8")
    command = [sys.executable, str(script), str(folder), method, str(FORKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.stdout.strip() == f"{FORKS} [] []", done.stderr


@needs_fork
def test_only_its_maker_removes_an_index_in_memory():
    retriever = Retriever.from_texts(["a", "b"], model="hash")
    for how in ("close", "drop"):
        pid = os.fork()
        if pid == 0:
            if how == "close":
                retriever.close()
            else:
                del retriever
            os._exit(0)
        os.waitpid(pid, 0)
        assert len(retriever.search("a")) == 2
    retriever.close()


def test_what_a_killed_process_left_in_memory_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(AssertionError):
        python(
            "import os; from lfm2_colbert_rag import Retriever\n"
            "kept = Retriever.from_texts(['a'], model='hash'); os.kill(os.getpid(), 9)"
        )
    (left,) = tmp_path.iterdir()
    alive = Retriever.from_texts(["b"], model="hash")
    stranger = tmp_path / f"{memory.PREFIX}notes"
    stranger.mkdir()
    (tmp_path / f"{memory.PREFIX}link").symlink_to(left)
    assert left.exists()  # it may be one that is being made
    for path in tmp_path.iterdir():
        if not path.is_symlink():
            os.utime(path, (time.time() - 3600,) * 2)
    Retriever.from_texts(["c"], model="hash").close()
    assert not left.exists()
    assert stranger.exists()
    assert len(alive.search("b")) == 1


def test_a_retriever_travels_as_its_path_and_options(folder):
    with Retriever.open(folder, model="hash", mode="hybrid", lock_timeout=3) as retriever:
        retriever.add(["one passage"], ids=["a"])
        other = pickle.loads(pickle.dumps(retriever))
        assert other.path == folder
        assert [hit.id for hit in other.search("one")] == ["a"]
        assert other.search("one")[0].legs.keys() == retriever.search("one")[0].legs.keys()
        other.close()
        assert copy.deepcopy(retriever) is retriever
        assert bool(retriever)


def test_an_index_in_memory_does_not_travel():
    with (
        Retriever.from_texts(["a"], model="hash") as retriever,
        pytest.raises(InputError, match="backup"),
    ):
        pickle.dumps(retriever)
