"""HTTP: one request and its response, on aiohttp's connector and protocol.

exchange        send a request on a connection of the pool, read its response, keep its deadlines.
request         the bytes of a request, and the credentials that belong in it.
response        the status line and headers of a response, as far as the crawl uses them.
content_coding  undo the codings of a body (gzip, deflate, br, zstd), within bounds.
mime            read the Content-Type headers of an answer as browsers do.
first_cookies   what the first answer of each origin sets, for --cookies-from-seed.
session         log in before the first page, and again when a page shows that the session has ended.
sniffing        the type of a body that was sent without one, by its beginning.
head_mending    heads of responses that aiohttp's parser refuses, in the words of RFC 9112.
failures        the one stable word for what went wrong with a fetch.
aiohttp_inside  the only module that uses undocumented parts of aiohttp: protocol, connector, request.
socks           connections through a SOCKS 5 proxy, with the extra `socks`.
resolver        for --public-only, connections to public addresses only.
trust           the authorities that the operator trusts, and the operator's certificate.
tls             read the system's certificate authorities at the first handshake.
"""
