"""What every request to a guarded route passes, before its body is read.

One dependency of FastAPI, and not one for each question: what it does around each of them took as long as the
questions themselves, and a poll a fourth longer.
"""

from typing import Final

from fastapi import Depends, Request

from service.guard import let_in
from service.negotiation import check_route
from service.query import refuse_unknown


async def _pass(request: Request) -> None:
    await let_in(request)
    refuse_unknown(request)
    check_route(request)


KEYED: Final = Depends(let_in)
"""Of routes that ask for a key, and for nothing else."""
GATED: Final = Depends(_pass)
"""Of routes that ask for a key, whose query holds what they declare, and that have to be able to answer."""
