"""Body: take in one answer's content, decoded, hashed and within bounds.

May touch: nothing but the exchange it is given.

Before a piece is kept, its bytes are reserved; whoever has to wait for them reads no further
meanwhile, so aiohttp stops reading from the socket, and the server from sending.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from io import BytesIO
from typing import NamedTuple

from penstock.crawler.policies.bandwidth import Bandwidth
from penstock.crawler.ports import ByteHold
from penstock.stages.http.content_coding import PIECE_BYTES, CodingError, Decoder
from penstock.stages.http.exchange import Exchange

YIELD_BYTES = 256 * 1024  # decoded in one go, before other tasks have their turn


class Body(NamedTuple):
    content: bytes
    digest: bytes  # SHA-256


async def read_body(
    exchange: Exchange,
    hold: ByteHold,
    *,
    coding: str | None,
    limit: int,
    cut: bool = False,
    bandwidth: Bandwidth | None = None,
) -> Body:
    """Read what is `coding`-coded, at most `limit` bytes of content; more is an error, or `cut`.

    Raises CodingError, and what aiohttp raises.
    """
    decoder = Decoder(coding, limit)
    chunk = await exchange.chunk()
    is_plain = not coding and bandwidth is None and len(chunk) <= min(limit, YIELD_BYTES)
    if is_plain and exchange.has_no_more and hold.try_reserve(len(chunk)):
        return Body(chunk, hashlib.sha256(chunk).digest())  # as most pages come: all of it at once
    body = BytesIO()  # a list of pieces would be in memory twice while it is joined
    digest = hashlib.sha256()  # as it comes: all at once it would hold up the loop
    in_turn = 0  # bytes since others had theirs
    try:
        while chunk:
            for piece in decoder.pieces(chunk):
                if not hold.try_reserve(len(piece)):
                    await exchange.pause(hold.reserve(len(piece)))
                body.write(piece)
                digest.update(piece)
                in_turn += len(piece) or PIECE_BYTES
                if in_turn > YIELD_BYTES:
                    in_turn = 0
                    await asyncio.sleep(0)
            if bandwidth is not None:
                await exchange.pause(asyncio.sleep(bandwidth.wait(len(chunk), time.monotonic())))
            chunk = await exchange.chunk()
        decoder.finish()
    except CodingError as error:
        if not (cut and error.reason == "too_large"):
            raise
        body.write(error.decoded)
        digest.update(error.decoded)
    return Body(body.getvalue(), digest.digest())
