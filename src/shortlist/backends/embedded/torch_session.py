"""Run any Hugging Face encoder folder with torch (the `local` extra): for families that are not built here, such as
DeBERTa.

Slower than the direct path; code that a model repository brings along is not run (`trust_remote_code` stays off).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.extras import need

from ..transformers.local import no_progress_bar
from .cpu import Precision
from .ort_graph import Output
from .tokens import Ids


class TorchSession:
    """The model as transformers builds it, in eval mode, on the CPU."""

    multiple = 8
    max_rows = None

    def __init__(self, folder: Path, *, precision: Precision, output: Output) -> None:
        self._torch = need("torch>=2.4", extra="local")
        transformers = need("transformers>=4.48", extra="local")
        kind = transformers.AutoModelForSequenceClassification if output == "logits" else transformers.AutoModel
        dtype = self._torch.bfloat16 if precision == "bf16" else self._torch.float32
        with no_progress_bar(transformers):
            model = kind.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
        self._model = model.to(dtype).eval()
        self._types = getattr(self._model.config, "type_vocab_size", 0) > 1
        self._logits = output == "logits"

    def run(self, ids: Ids, types: Ids, lengths: Ids) -> NDArray[np.float32]:
        torch = self._torch
        mask = (np.arange(ids.shape[1])[None, :] < lengths[:, None]).astype(np.int64)
        feed = {"input_ids": torch.from_numpy(ids.astype(np.int64)), "attention_mask": torch.from_numpy(mask)}
        if self._types:
            feed["token_type_ids"] = torch.from_numpy(types.astype(np.int64))
        with torch.inference_mode():
            answer = self._model(**feed)
        result: NDArray[np.float32] = (answer.logits if self._logits else answer.last_hidden_state).float().numpy()
        return result
