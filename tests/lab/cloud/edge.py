"""The layers between a visitor and the webservers of a lab: Cloudflare, CloudFront with its WAF, the load balancer.

usage: edge.py BLOCK FOLDER        (BLOCK: the first three octets of the lab)
Each layer has an address of its own and hands on to the next, so that what a layer says of the next one is what it met:
  .42:80 Cloudflare -> .43:80 CloudFront -> .44:80 load balancer -> .31 to .36, port 80
  .42:8080 Cloudflare's API, and /lab/ACTION for the lab
"""
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK, FOLDER = sys.argv[1:3]
WEBS = [f"{BLOCK}.{octet}" for octet in range(31, 37)]
TOKEN = "lab-cloudflare-token"
ZONE = "0123456789abcdef0123456789abcdef"
SITE = "www.dreamwidth.org"
# what the lab may change with `set NAME VALUE`
FIRST = {
    "cloudflare": "ok",     # ok; down: it refuses connections to the site
    "cloudfront": "ok",     # ok; down; error: a 503 of its own
    "waf": "ok",            # ok; block: everything is refused with 403
    "alb": "ok",            # ok; down
    "token": "active",      # what Cloudflare says of the token: active, expired, disabled
    "purge": 0,             # how many purges fail with 500 and an envelope
    "quiet": False,         # a purge that is refused although the status is 200
}
state = dict(FIRST)
purged = []


def ray():
    return f"{random.getrandbits(64):016x}-IAD"


class Layer(BaseHTTPRequestHandler):
    """What the three have in common."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "", ""

    def log_message(self, *_):
        pass

    def send(self, status, headers, body):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response_only(status, {521: "Web server is down", 522: "Connection timed out"}.get(status))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(data)

    def onward(self, address):
        """The next layer's (status, headers, body), or none when it does not answer."""
        try:
            link = http.client.HTTPConnection(address, 80, timeout=5)
            link.request("GET", self.path, headers={"Host": self.headers.get("Host", SITE)})
            reply = link.getresponse()
            kept = {name: value for name, value in reply.getheaders()
                    if name.lower() not in ("content-length", "connection", "date")}
            return reply.status, kept, reply.read()
        except OSError:
            return None

    def refuse(self):
        """As if nothing listened: the connection is reset."""
        self.close_connection = True
        self.connection.close()


class Cloudflare(Layer):
    def do_GET(self):
        if state["cloudflare"] == "down":
            return self.refuse()
        own = {"Server": "cloudflare", "CF-RAY": ray()}
        if self.path == "/cdn-cgi/trace":
            lines = [("fl", "29f178"), ("h", self.headers.get("Host", "")), ("ip", self.client_address[0]),
                     ("ts", f"{time.time():.3f}"), ("visit_scheme", "http"), ("uag", self.headers.get("User-Agent", "")),
                     ("colo", "IAD"), ("http", "http/1.1"), ("loc", "US"), ("tls", "off"), ("sni", "off"),
                     ("warp", "off"), ("gateway", "off")]
            text = "".join(f"{name}={value}\n" for name, value in lines)
            return self.send(200, {**own, "Content-Type": "text/plain"}, text)
        reply = self.onward(f"{BLOCK}.43")
        if reply is None:
            return self.send(521, {**own, "Content-Type": "text/html"}, "<title>521: Web server is down</title>\n")
        status, headers, body = reply
        return self.send(status, {**headers, **own, "CF-Cache-Status": "DYNAMIC"}, body)


class CloudFront(Layer):
    def do_GET(self):
        own = {"Via": "1.1 lab.cloudfront.net (CloudFront)", "X-Amz-Cf-Pop": "IAD89-C1",
               "X-Amz-Cf-Id": f"{random.getrandbits(128):032x}=="}
        page = "<H1>{} ERROR</H1>\n<H2>The request could not be satisfied.</H2>\n{}\n"
        html = {"Server": "CloudFront", "Content-Type": "text/html", "X-Cache": "Error from cloudfront"}
        if state["cloudfront"] == "down":
            return self.refuse()
        if state["cloudfront"] == "error":
            return self.send(503, {**own, **html}, page.format(503, "We can't connect to the server for this app or website at this time."))
        if state["waf"] == "block":
            return self.send(403, {**own, **html}, page.format(403, "Request blocked."))
        reply = self.onward(f"{BLOCK}.44")
        if reply is None:
            return self.send(502, {**own, **html}, page.format(502, "CloudFront wasn't able to connect to the origin."))
        status, headers, body = reply
        cache = "Miss from cloudfront" if status < 400 else "Error from cloudfront"
        return self.send(status, {**headers, **own, "X-Cache": cache}, body)


class Balancer(Layer):
    turn = 0

    def do_GET(self):
        if state["alb"] == "down":
            return self.refuse()
        for _ in WEBS:
            Balancer.turn += 1
            reply = self.onward(WEBS[Balancer.turn % len(WEBS)])
            if reply is not None:
                return self.send(*reply)
        return self.send(503, {"Server": "awselb/2.0", "Content-Type": "text/html"},
                         "<html><head><title>503 Service Temporarily Unavailable</title></head></html>\n")


class Api(Layer):
    def envelope(self, status, result, errors=()):
        body = {"success": not errors, "errors": [{"code": code, "message": message} for code, message in errors],
                "messages": [], "result": result}
        self.send(status, {"Content-Type": "application/json", "Server": "cloudflare", "CF-RAY": ray()}, json.dumps(body))

    def known(self):
        """Whether the token is ours; otherwise the answer is given."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.envelope(401, None, [(1000, "Invalid API Token")])
            return False
        return True

    def do_GET(self):
        if not self.known():
            return
        if self.path == "/client/v4/user/tokens/verify":
            self.envelope(200, {"id": "lab", "status": state["token"]})
        elif self.path == f"/client/v4/zones/{ZONE}":
            self.envelope(200, {"id": ZONE, "name": "dreamwidth.org", "status": "active", "paused": False})
        else:
            self.envelope(404, None, [(7003, f"Could not route to {self.path}, perhaps your object identifier is invalid?")])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/lab/"):
            return self.control(self.path[5:], json.loads(body or b"[]"))
        if not self.known():
            return None
        if self.path != f"/client/v4/zones/{ZONE}/purge_cache":
            return self.envelope(404, None, [(7003, f"Could not route to {self.path}, perhaps your object identifier is invalid?")])
        if state["purge"] > 0:
            state["purge"] -= 1
            return self.envelope(500, None, [(10000, "Internal error")])
        if state["quiet"]:
            return self.envelope(200, None, [(1134, "Unable to purge, rate limit reached. Please wait and consider throttling.")])
        try:
            asked = json.loads(body)
        except ValueError:
            return self.envelope(400, None, [(1012, "Request must contain one of \"purge_everything\", \"files\", \"tags\"")])
        if asked.get("purge_everything") or not asked.get("files"):
            purged.append("everything" if asked.get("purge_everything") else "nothing")
            return self.envelope(400, None, [(1012, "The lab's zone purges by files only")])
        if len(asked["files"]) > 30:
            return self.envelope(400, None, [(1094, "You may only purge 30 files at a time")])
        purged.extend(asked["files"])
        return self.envelope(200, {"id": ZONE})

    def control(self, action, args):
        if action == "reset":
            state.update(FIRST)
            purged.clear()
            said = "ok"
        elif action == "set" and args[0] in FIRST:
            state[args[0]] = said = args[1]
        elif action == "purged":
            said = purged
        else:
            return self.send(400, {}, f"{action} {args}: set one of {sorted(FIRST)}, or reset, or purged\n")
        return self.send(200, {"Content-Type": "application/json"}, json.dumps(said))


doors = [(f"{BLOCK}.42", 80, Cloudflare), (f"{BLOCK}.43", 80, CloudFront), (f"{BLOCK}.44", 80, Balancer), (f"{BLOCK}.42", 8080, Api)]
ThreadingHTTPServer.daemon_threads = True
servers = [ThreadingHTTPServer((address, port), layer) for address, port, layer in doors]
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open(f"{FOLDER}/pid", "w") as out:
    out.write(f"{os.getpid()}\n")
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
