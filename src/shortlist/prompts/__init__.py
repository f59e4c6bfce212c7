"""Prompts: a query and passages as the text that a language model is given. Pure, standard library only.

A template is a TOML file (``templates/NAME.toml``, or the user's own by path) that says where its wording comes from;
``load_prompt`` reads and checks it. ``Fitted`` makes passages fit a context and records what it cut.

What a backend may rely on: a raw prompt and every ``Message.content`` are plain text. Documents and queries stand in
them unescaped, and no template writes control tokens there (that is checked). So a backend tokenises this text with
special tokens split (``<|im_end|>`` in a document is seven harmless characters of text), and control tokens come only
from the backend's own chat template and from ``Request.prefill``, which is appended after the generation prompt
without a second BOS.
"""

from .fit import Fitted
from .origin import Example, Source
from .read import available_prompts, load_prompt
from .template import Template
from .tokens import estimated_tokens
from .transcript import transcript

__all__ = [
    "Example",
    "Fitted",
    "Source",
    "Template",
    "available_prompts",
    "estimated_tokens",
    "load_prompt",
    "transcript",
]
