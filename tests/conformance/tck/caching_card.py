"""Runs the kit's server with caching headers on its card, as A2A 1.0 section 8.6.1 wants them of every server. Nothing else
of it changes: `python caching_card.py SERVER`."""

import email.utils
import hashlib
import runpy
import sys

import uvicorn

CARD = "/.well-known/agent-card.json"
STARTED = email.utils.formatdate(usegmt=True)


class CachingCard:
    """An ASGI application around the server's own."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] != CARD:
            return await self.app(scope, receive, send)

        async def with_headers(message):
            if message["type"] == "http.response.start":
                tag = hashlib.sha256(STARTED.encode()).hexdigest()[:16]
                own = {"cache-control": "max-age=300", "etag": f'"{tag}"', "last-modified": STARTED}
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in own.items())]
            await send(message)

        return await self.app(scope, receive, with_headers)


def main():
    plain = uvicorn.Config.__init__
    uvicorn.Config.__init__ = lambda self, app, *args, **more: plain(self, CachingCard(app), *args, **more)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
