"""While a run is carried, no secret stands in what anything in this process logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autoagent.secrecy import Strike


@contextmanager
def struck_logs(strike: Strike) -> Iterator[None]:
    """Every record that is made meanwhile is struck, whoever makes and whoever hears it.

    Runs side by side in one process may begin and end in any order.
    """
    if not strike:
        yield
        return
    made, is_on = logging.getLogRecordFactory(), True

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        return _struck(record, strike) if is_on else record

    logging.setLogRecordFactory(make)
    try:
        yield
    finally:
        is_on = False
        if logging.getLogRecordFactory() is make:
            logging.setLogRecordFactory(made)


def _struck(record: logging.LogRecord, strike: Strike) -> logging.LogRecord:
    said = record.getMessage()
    if (without := strike.text(said)) != said:
        record.msg, record.args = without, ()
    if record.exc_info:
        raised = logging.Formatter().formatException(record.exc_info)
        if (without := strike.text(raised)) != raised:
            record.exc_info, record.exc_text = None, without
    return record
