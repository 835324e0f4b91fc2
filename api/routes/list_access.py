"""Who may come in by the routes about lists; the services behind them ask again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.accounts import Principal
from api.deps import Asks
from api.review.requests import AUTHORISERS, ENDERS, READERS, REQUESTERS

ListReader = Annotated[Principal, Depends(Asks(READERS))]
"""A supervisor, an authoriser or an auditor."""

Requester = Annotated[Principal, Depends(Asks(REQUESTERS))]
"""A supervisor."""

Authoriser = Annotated[Principal, Depends(Asks(AUTHORISERS))]
Ender = Annotated[Principal, Depends(Asks(ENDERS))]
"""A supervisor or an authoriser."""
