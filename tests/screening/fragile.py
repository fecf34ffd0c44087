"""A target's model that some texts kill, stop or confuse; importable by worker processes."""

import os
import signal
import time
from collections.abc import Sequence

from molmeta.scores import ScoredRow
from molmeta.target import TargetModel, adapt_target
from tests.tiny_model import support_set, tiny_checkpoint

SEGFAULT, KILLED, EXIT, HANG, CONFUSED, FULL = "segfault", "killed", "exit", "hang", "what", "full"


class FragileTarget(TargetModel):
    """Does as the texts say."""

    def score(self, texts: Sequence[object]) -> list[ScoredRow]:
        for text in texts:
            if text == SEGFAULT:
                os.kill(os.getpid(), signal.SIGSEGV)
            if text == KILLED:
                os.kill(os.getpid(), signal.SIGKILL)
            if text == EXIT:
                os._exit(3)
            if text == HANG:
                time.sleep(3600)
            if text == CONFUSED:
                raise RuntimeError("what?")
            if text == FULL:
                raise MemoryError
        return super().score(texts)

    def __reduce__(self) -> tuple[type[TargetModel], tuple[object, ...]]:
        return FragileTarget, (self.checkpoint,)


def fragile_target() -> FragileTarget:
    return FragileTarget(adapt_target(tiny_checkpoint(), support_set()).checkpoint)
