# SPDX-License-Identifier: Apache-2.0
"""A daemon that is started again whenever it dies, as a machine's init system would do."""

import signal
import threading

from fleet import PATIENCE_S, wait_for

INJECTED_EXIT = 86  # base/test_fault.hpp
KILLED = -signal.SIGKILL


class Keeper:
    """`start(first)` starts the process and returns it; `first` is true the first time only. An end that no fault accounts
    for is kept in `surprises`."""

    def __init__(self, name, start):
        self.name = name
        self.start = start
        self.lock = threading.Lock()  # one fault of the kind that stops or replaces the process at a time
        self.expected = {KILLED, INJECTED_EXIT}
        self.surprises = []
        self.exit_codes = []
        self.is_ending = threading.Event()
        self.process_lock = threading.Lock()
        self.process = start(True)
        self.thread = threading.Thread(target=self.keep, daemon=True)
        self.thread.start()

    def keep(self):
        while True:
            code = self.process.wait()
            with self.process_lock:
                self.exit_codes.append(code)
                if self.is_ending.is_set():
                    return
                if code not in self.expected:
                    self.surprises.append(f"{self.name} ended by itself with {code}")
            self.is_ending.wait(0.05 * min(len(self.exit_codes), 10))
            with self.process_lock:
                if self.is_ending.is_set():
                    return
                self.process = self.start(False)

    def kill(self):
        """Returns once another process runs in the place of the killed one."""
        victim = self.process
        victim.kill()
        wait_for(lambda: self.process is not victim or self.is_ending.is_set(), f"new {self.name}")

    def send(self, number):
        """To the process of this moment, which may be gone already."""
        process = self.process
        process.send_signal(number)
        return process

    def end(self):
        """Ends the daemon in good order; returns its exit code. Its deaths before count no more."""
        with self.process_lock:
            self.is_ending.set()
            if self.process.poll() is None:
                self.process.terminate()
        self.thread.join(PATIENCE_S)
        if self.thread.is_alive():
            self.process.kill()
            self.surprises.append(f"{self.name} did not end within {PATIENCE_S} s of SIGTERM")
            self.thread.join(PATIENCE_S)
        return self.exit_codes[-1]
