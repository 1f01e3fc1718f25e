"""HTTP: one request and its response, on aiohttp's connector and protocol.

body               take in one answer's content, decoded, hashed and within bounds.
client_protocol    the reading half of a connection, held to one answer per request.
connections        aiohttp's pool of them, made to say when each was made.
content_coding     undo the Content-Encoding of a body, within bounds.
deadlines          ends the exchanges that take too long, all with one timer.
exchange           one request and its answer, on one of aiohttp's connections.
failures           what went wrong with a fetch, as one stable word.
headers            read single response header fields. Pure; what cannot be read is None.
mime               read a Content-Type header as browsers do.
request_templates  the bytes of a request, made once for each origin but for its path.
resolver           for `--public-only`, name resolution that yields public addresses only.
response_head      what an answer's status line and headers say, as far as anybody asks.
sent_credentials   what a request says of who we are, and to whom.
socks              connections through a SOCKS 5 proxy, for those who installed the extra `socks`.
tls                the system's authorities, read at the first handshake and not when aiohttp is loaded.
"""
