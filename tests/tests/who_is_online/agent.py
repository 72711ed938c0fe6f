"""An A2A agent with a URL, as small as one can be: it serves its card and knows no task.

    agent.py HOST PORT CARD

CARD is the JSON of the card, or a word: `echo` gives back what it gets and has no card, `pages` has a page for everything.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

host, port, card = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Agent(BaseHTTPRequestHandler):
    def answer(self, status, body, media_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if card == "pages":
            self.answer(200, b"<!doctype html><title>Welcome</title>", "text/html")
        elif self.path == "/.well-known/agent-card.json" and card != "echo":
            self.answer(200, card.encode())
        else:
            self.answer(404, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if card == "echo":
            return self.answer(200, body)
        if card == "pages":
            return self.do_GET()
        error = {"code": -32001, "message": "Task not found"}
        self.answer(200, json.dumps({"jsonrpc": "2.0", "id": json.loads(body).get("id"), "error": error}).encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer((host, port), Agent).serve_forever()
