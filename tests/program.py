"""A program that runs beside a test: it says in its first line that it is ready, and is stopped with the test."""

import os
import queue
import subprocess
import tempfile
import threading

READY_S = 60
STOP_S = 10


class Program:
    """A child; its standard output is read line by line."""

    def __init__(self, *command, folder, env=()):
        self.command = [str(word) for word in command]
        self.log = tempfile.TemporaryFile(dir=folder)
        clean = {"PATH": os.environ["PATH"], "HOME": str(folder), **dict(env)}
        self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, env=clean, text=True)
        self.lines = queue.Queue()
        # Reads on for as long as the child runs: a full pipe would stop it.
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.child.stdout:
            self.lines.put(line)
        self.lines.put("")

    def words(self, first):
        """The words behind `first` in the first line."""
        try:
            line = self.lines.get(timeout=READY_S)
        except queue.Empty:
            line = ""
        words = line.split()
        if words[:1] != [first]:
            raise RuntimeError(f"{' '.join(self.command)}: no line '{first} …' but {line!r}\n{self.complaints()}")
        return words[1:]

    def complaints(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
