"""Models behind HTTP endpoints: OpenAI-compatible completions and the rerank dialects (extra ``http``).

>>> OpenAICompatible("http://127.0.0.1:8000/v1", "Qwen/Qwen3-8B", api_key_env=None).model
'Qwen/Qwen3-8B'
"""

from .openai import OpenAICompatible
from .patience import Clock, Patience, SystemClock
from .refusals import EndpointError
from .rerank import RerankEndpoint
from .structured import Structured

__all__ = ["Clock", "EndpointError", "OpenAICompatible", "Patience", "RerankEndpoint", "Structured", "SystemClock"]
