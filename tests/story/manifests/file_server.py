"""A web server in the cluster, for inputs by URI: files of its folder, and redirects.

`/to/URL` redirects there, so that a test can lead a fetch astray.
"""

import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files below the working directory, and `/to/…`."""

    def do_GET(self) -> None:
        """Redirect, or serve the file."""
        if not self.path.startswith("/to/"):
            super().do_GET()
            return
        self.send_response(302)
        self.send_header("Location", self.path.removeprefix("/to/"))
        self.end_headers()


http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
