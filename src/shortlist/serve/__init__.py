"""A language model of this machine behind OpenAI's HTTP interface, for one program or a few, not for the internet.

    with LanguageModelServer(CausalLM("my-model"), port=0) as server:
        backend = OpenAICompatible(server.url, server.name)

Routes: ``/v1/models``, ``/v1/chat/completions``, ``/v1/completions``, ``/health``. Requests that come within a few
milliseconds are computed in one call, so a prompt's beginning that several share is computed once. It needs the
standard library beside the backend. It does not stream, and it refuses what it cannot do instead of ignoring it.
"""

from .fields import Limits
from .server import LanguageModelServer

__all__ = ["LanguageModelServer", "Limits"]
