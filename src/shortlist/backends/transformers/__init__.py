"""Models run in process by torch and transformers (extra ``local``): language models, T5, classifiers, embeddings.

``CausalLM`` and ``Seq2SeqLM`` generate, give label log-probabilities and likelihoods; ``SequenceClassifier`` scores
pairs; ``Embedder`` pools the last token; ``AttentionLM`` is read while it looks at a list; ``FusionInDecoder`` reads
many texts with one T5; ``GLiClass`` reads passages as labels (extra ``gliclass``). BERT-like encoders run faster, and
without torch, in ``backends.embedded``.
Weights are loaded on first use, from a folder or from the hub's cache.

>>> CausalLM("Qwen/Qwen3-0.6B").device
'auto'
"""

from .attention import AttentionLM
from .causal import CausalLM
from .classifier import SequenceClassifier
from .embedder import Embedder
from .fid import FusionInDecoder
from .gliclass import GLiClass
from .local import Loaded, load_local
from .seq2seq import Seq2SeqLM

__all__ = [
    "AttentionLM",
    "CausalLM",
    "Embedder",
    "FusionInDecoder",
    "GLiClass",
    "Loaded",
    "Seq2SeqLM",
    "SequenceClassifier",
    "load_local",
]
