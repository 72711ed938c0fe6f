"""An embeddings endpoint in the form of OpenAI's API, with a small model that its package brings along (256 dimensions).

    python server.py [PORT]      prints its base URL, then serves until it is ended

A token of 1,000 characters and more in one text is refused with 400, as a text would be that is too long for the model.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import wordllama

# The package has the tokenizer in another folder than where it looks first.
MODEL = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path != "/v1/embeddings":
            return self.answer(404, {"error": {"message": "there is only /v1/embeddings"}})
        try:
            question = json.loads(body)
            texts = question["input"]
            texts = [texts] if isinstance(texts, str) else texts
        except (ValueError, KeyError) as error:
            return self.answer(400, {"error": {"message": f"not a question: {error}"}})
        if any(len(word) >= 1000 for text in texts for word in text.split()):
            return self.answer(400, {"error": {"message": "a text is too long for the model"}})
        vectors = MODEL.embed(texts)
        data = [{"object": "embedding", "index": n, "embedding": v.tolist()} for n, v in enumerate(vectors)]
        return self.answer(200, {"object": "list", "model": question.get("model"), "data": data})

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Endpoint)
print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
server.serve_forever()
