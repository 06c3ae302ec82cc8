"""EMAN2's parallelism on a Manyhands server: ``--parallel=dc:host:9990`` of EMAN2's own programs.

    python -m manyhands_eman2 e2spt_align.py … --parallel=dc:head:9990

or, in a program of your own, ``import manyhands_eman2`` before ``from EMAN2PAR import EMTaskCustomer``; a file
``manyhands_eman2.pth`` with that import in EMAN2's ``site-packages`` is for all programs, and those that they start. Tasks
are computed by the EMAN2 of trusted clients whose owners allow a command ``eman2``, which is EMAN2's Python.
``docs/eman2.md`` of Manyhands describes it. The module needs ``manyhands.py`` beside it, and EMAN2 on the clients only.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.abc
import importlib.util
import io
import itertools
import json
import os
import pickle
import runpy
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import manyhands

#: Name of the command that is EMAN2's Python, unless ``MANYHANDS_EMAN2_COMMAND`` has another.
DEFAULT_COMMAND = "eman2"
#: Memory of a task in MiB, unless ``MANYHANDS_EMAN2_MEMORY_MB`` says otherwise, and its longest run. The owner of a
#: client bounds both.
_MEMORY_MB, _TIMEOUT_MS = 4096, 24 * 3600 * 1000
#: States of tasks, as EMAN2's programs know them: not begun as far as is known, completed, failed.
_WAITING, _COMPLETED, _FAILED = -1, 100, -100
#: Results up to this size travel as they are, others as blobs.
_INLINE_BYTES = 256 * 1024


class EMTask:
    """A task as EMAN2 has it (``EMTask``, ``JSTask``), for programs and clients without EMAN2.

    ``execute`` is the subclass's own.
    """

    def __init__(self, command: str | None = None, data: Any = None, options: Any = None, user: Any = None) -> None:
        self.taskid: int | None = None
        self.queuetime: float | None = None
        self.starttime: float | None = None
        self.progtime: Any = None
        self.endtime: float | None = None
        self.command = command
        self.data = data
        self.options = options
        self.user = user
        self.group: int | None = None
        self.wait_for: Any = None
        self.modkeys: Any = None

    def execute(self, callback: Any) -> Any:
        """Computes the task. ``callback(percent)`` tells the progress; it returns whether to go on."""
        raise NotImplementedError(f"{type(self).__name__} has no execute().")


JSTask = EMTask


async def _execute(given: dict[str, Any], ctx: Any) -> Any:
    """Computes a pickled task where EMAN2 is. Runs on a client."""
    import os
    import pickle
    import sys
    import types

    main = None
    if given["main"] is not None:
        name, source = given["main"]["name"], bytes(await ctx.data(given["main"]["source"])).decode()
        main = types.ModuleType(name)
        main.__file__ = f"{name}.py"
        # Pickles of what the task returns name its classes in this module.
        sys.modules[name] = main
        exec(compile(source, f"{name}.py", "exec"), main.__dict__)

    class Loader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module == "__main__" and main is not None:
                return getattr(main, name)
            return super().find_class(module, name)

    def load(file: str) -> Any:
        with open(file, "rb") as opened:
            return Loader(opened).load()

    # Formats of images are told by the ends of names.
    places = {}
    for key, (reference, file_name) in given["cache"].items():
        folder = os.path.abspath(os.path.join("cache", str(len(places))))
        os.makedirs(folder)
        places[key] = os.path.join(folder, file_name)
        os.symlink(os.path.abspath(ctx.path(reference)), places[key])
    task = load(ctx.path(given["task"]))
    for key, place in places.items():
        task.data[key] = ["cache", place, *list(task.data[key])[2:]]
    home = os.getcwd()
    # Programs name other files by their places in the folder that the customer works in, where clients have it too.
    if os.path.isdir(given["folder"]):
        os.chdir(given["folder"])
    try:
        result = pickle.dumps(task.execute(lambda *_: True), 4)
    finally:
        os.chdir(home)
    return result if len(result) <= given["inline"] else await ctx.put(result)


class EMTaskCustomer:
    """Sends tasks to a Manyhands server, as EMAN2's class of this name did to its own.

    Args:
        target: ``dc:HOST[:PORT]``, or what else ``manyhands.connect`` takes
        module: ``file.Class`` of the tasks, as EMAN2's programs give it; not needed, because the class of the running
            program travels with its source
    """

    def __init__(self, target: str, module: str = "") -> None:
        self._hands = manyhands.connect("dc:localhost:9990" if target.strip() == "dc" else target)
        self.servtype = "dc"
        self.module = module
        self._command = os.environ.get("MANYHANDS_EMAN2_COMMAND") or DEFAULT_COMMAND
        self._ids = itertools.count(1)
        self._groups = itertools.count(1)
        self._tasks: dict[int, Any] = {}
        self._futures: dict[int, concurrent.futures.Future[Any]] = {}
        self._blobs: dict[tuple[str, int, int], manyhands.DataReference] = {}
        #: Failed tasks of which check_task has told.
        self._told: set[int] = set()
        self._executors: dict[int | None, manyhands.ManyhandsExecutor] = {}
        self._name = Path(sys.argv[0] or "eman2").stem

    def cpu_est(self, wait: bool = True) -> int:
        """Slots of the connected clients that have EMAN2, at least 1.

        With ``wait`` a client is waited for, at most a minute.
        """
        ends = time.monotonic() + (60 if wait else 0)
        while True:
            found = self._slots()
            if found > 0 or time.monotonic() >= ends:
                return max(1, found)
            time.sleep(0.5)

    def _slots(self) -> int:
        connected = [each for each in self._hands.clients() if each["connected"]]
        return sum(each["slots"] for each in connected if self._command in each.get("commands", []))

    def new_group(self) -> int:
        """A number for ``EMTask.group``: tasks of one group are a job with this label."""
        return next(self._groups)

    def send_task(self, task: Any) -> int:
        """Sends a task. Returns its id."""
        taskid = next(self._ids)
        task.taskid = taskid
        task.queuetime = time.time()
        self._tasks[taskid] = task
        self._futures[taskid] = self._send(task)
        return taskid

    def send_tasks(self, tasks: Any) -> list[int]:
        """Sends several tasks. Returns their ids, in order."""
        return [self.send_task(task) for task in tasks]

    def check_task(self, taskid_list: Any) -> list[int]:
        """States of tasks: 100 completed, -100 failed, -1 neither.

        Raises:
            manyhands.TaskError: the state of a failed task was told before: most of EMAN2's programs do not know it, and
                would wait for ever
        """
        states = [self._state(taskid) for taskid in taskid_list]
        for taskid, state in zip(taskid_list, states):
            if state == _FAILED and taskid in self._told:
                self._future(taskid).result()
        self._told.update(taskid for taskid, state in zip(taskid_list, states) if state == _FAILED)
        return states

    def _state(self, taskid: int) -> int:
        future = self._future(taskid)
        if not future.done():
            return _WAITING
        return _FAILED if future.cancelled() or future.exception() is not None else _COMPLETED

    def get_results(self, taskid: int, retry: bool = True) -> tuple[Any, Any]:
        """The task, and what its ``execute`` returned; of an unfinished task once it has ended.

        Raises:
            manyhands.TaskError: the task failed, with the traceback in ``stack``
        """
        told = self._future(taskid).result()
        data = self._hands.get(told) if isinstance(told, manyhands.DataReference) else told
        task = self._tasks[taskid]
        task.endtime = time.time()
        # Trusted clients alone computed it.
        return task, _Results(io.BytesIO(bytes(data))).load()

    def rerun_task(self, taskid: int) -> None:
        """Has a task computed once more."""
        self._future(taskid).cancel()
        self._told.discard(taskid)
        self._futures[taskid] = self._send(self._tasks[taskid])

    def precache(self, filelist: Any) -> None:
        """Puts files on the server, from where they go to the clients that have EMAN2 while these compute."""
        refs = [self._put(path) for path in filelist]
        body = {
            "refs": [{"sha256": each.sha256, "size": each.size} for each in refs],
            "requires": {"command": self._command},
        }
        threading.Thread(target=self._push, args=(body,), daemon=True).start()

    def _push(self, body: dict[str, Any]) -> None:
        headers = {"content-type": "application/json", "accept": "application/x-ndjson"}
        request = manyhands._Request("POST", "api/precache", json.dumps(body).encode(), headers)
        # Data that was not pushed is fetched with its task.
        with contextlib.suppress(Exception), self._hands._http.open(request) as reply:
            for _ in reply:
                pass

    def wait_for_server(self, delay: float = 0) -> None:
        """Nothing: requests wait for a server that is away."""

    def close(self) -> None:
        """Sends no more tasks."""
        self._hands.close()

    def _future(self, taskid: int) -> concurrent.futures.Future[Any]:
        if taskid not in self._futures:
            raise ValueError(f"There is no task {taskid!r}; expected an id that send_task returned.")
        return self._futures[taskid]

    def _executor(self, group: int | None) -> manyhands.ManyhandsExecutor:
        if group not in self._executors:
            label = {} if group is None else {"group": f"{self._name} {group}"}
            self._executors[group] = self._hands.executor(
                on=self._command,
                name=self._name,
                memory_mb=int(os.environ.get("MANYHANDS_EMAN2_MEMORY_MB") or _MEMORY_MB),
                timeout_ms=_TIMEOUT_MS,
                **label,
            )
        return self._executors[group]

    def _send(self, task: Any) -> concurrent.futures.Future[Any]:
        cache: dict[str, list[Any]] = {}
        given = task.data if isinstance(task.data, dict) else {}
        for key, value in list(given.items()):
            if not isinstance(value, (tuple, list)) or len(value) < 2 or type(value[0]) is not str:
                continue
            if value[0] != "cache" or not isinstance(value[1], (str, os.PathLike)):
                continue
            path = os.path.abspath(value[1]) if not str(value[1]).startswith("bdb:") else value[1]
            given[key] = ["cache", path, *value[2:]]
            # A list names other files by their places, so it is read where it lies.
            if not str(path).endswith(".lst"):
                cache[key] = [self._put(path), os.path.basename(str(path))]
        return self._executor(getattr(task, "group", None)).submit(
            _execute,
            {
                "task": self._hands.put(pickle.dumps(task, 4)),
                "cache": cache,
                "main": self._main(task),
                "folder": os.getcwd(),
                "inline": _INLINE_BYTES,
            },
        )

    def _main(self, task: Any) -> dict[str, Any] | None:
        """The program of a task whose class is the program's own: clients need no copy of it, of whatever version."""
        if type(task).__module__ != "__main__":
            return None
        file = getattr(sys.modules["__main__"], "__file__", None)
        if file is None:
            raise manyhands.PlatformError(
                "BAD_ARGUMENT", f"The class {type(task).__name__} is of no file; put it into a module or a program."
            )
        return {"name": Path(file).stem, "source": self._put(file)}

    def _put(self, path: Any) -> manyhands.DataReference:
        if str(path).startswith("bdb:"):
            raise manyhands.PlatformError(
                "BAD_ARGUMENT", f"{path} is in one of EMAN2's former databases; expected a file, such as an HDF stack."
            )
        file = os.path.abspath(path)
        try:
            found = os.stat(file)
        except OSError as error:
            raise manyhands.PlatformError("FILE_FAILED", f"The file {path} cannot be read: {error}.") from error
        identity = (file, found.st_size, found.st_mtime_ns)
        if identity not in self._blobs:
            self._blobs[identity] = self._hands.put(file)
        return self._blobs[identity]


class _Results(pickle.Unpickler):
    """Reads what a task returned.

    Clients have the program as a module; here its classes are those of the running program.
    """

    def find_class(self, module: str, name: str) -> Any:
        main = sys.modules["__main__"]
        if module == Path(getattr(main, "__file__", None) or "").stem and hasattr(main, name.split(".")[0]):
            module = "__main__"
        return super().find_class(module, name)


def install() -> None:
    """Has EMAN2's programs use this class for ``dc:``, from when they import ``EMAN2PAR`` on.

    Other targets stay EMAN2's own.
    """
    if "EMAN2PAR" in sys.modules:
        _take_over(sys.modules["EMAN2PAR"])
    elif not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds EMAN2PAR where Python finds it, and changes it when it is loaded."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != "EMAN2PAR":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_take_over(module: Any) -> None:
            execute(module)
            _take_over(module)

        spec.loader.exec_module = execute_and_take_over  # type: ignore[method-assign]
        return spec


def _take_over(eman2par: Any) -> None:
    own = eman2par.EMTaskCustomer
    if getattr(own, "is_manyhands", False):
        return

    def choose(target: str, *args: Any, **more: Any) -> Any:
        if target.split(":")[0].strip().lower() == "dc":
            return EMTaskCustomer(target, *args, **more)
        return own(target, *args, **more)

    choose.is_manyhands = True  # type: ignore[attr-defined]
    eman2par.EMTaskCustomer = choose


install()

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m manyhands_eman2 PROGRAM [OPTIONS…] --parallel=dc:HOST:9990")
    program = sys.argv[1] if os.path.exists(sys.argv[1]) else shutil.which(sys.argv[1]) or sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
    # The program gets this module once, under its own name.
    import manyhands_eman2  # noqa: F401

    runpy.run_path(program, run_name="__main__")
