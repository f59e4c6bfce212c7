"""Train the tiny language model of the tests and the tutorial: it ranks passages of invented words by shared words.

    python tools/build_tiny_models.py [--steps N] [--out tests/fixtures/tiny-ranker]

Everything is made here, from a fixed seed: words, queries, a byte-level BPE tokenizer, and a Llama of about 0.2 million
weights that is trained on prompts which shortlist's own templates render (``TEMPLATES``). Relevance is the number of
query words that a passage holds. Training and test share the words; a tenth of all queries is held out of training
(``queries``). It takes four to eight minutes of one core; the seed is fixed, but other CPUs may round otherwise.

Answers alone teach a model of this size to compare words only after very many steps. So helpers learn to read from the
second layer, at every word, whether query and passage share it, and what its passage is called; they are left out of
the saved model.

The model knows nothing else: it can compare words, and only in prompts of these forms.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shortlist.core.exchange import Message, Request
from shortlist.core.types import Candidate, Document, Query
from shortlist.prompts import load_prompt

OUT = Path(__file__).parents[1] / "tests" / "fixtures" / "tiny-ranker"
SEED = 20260
QUERY_WORDS, PASSAGE_WORDS = 3, 6
TEMPLATES = {"yes-no": 1, "first": 10, "rankzephyr": 10}
"""Templates that the model is trained on, and the most passages of one training prompt."""
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>")
SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4}


@dataclass(frozen=True)
class Judged:
    """A generated query, its passages, and the grade of each: the number of query words in it."""

    query: Query
    candidates: tuple[Candidate, ...]
    grades: tuple[int, ...]


def words(count: int = 150, seed: int = SEED) -> list[str]:
    """Invented words of two or three syllables.

    >>> words(3)[0].isalpha()
    True
    """
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        syllables = (chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(chance.randint(2, 3)))
        made["".join(syllables)] = None
    return list(made)


def judged(chance: random.Random, n: int, lexicon: Sequence[str], name: str = "q", *, held_out: bool = False) -> Judged:
    """One query and ``n`` passages in random order with grades from 0 to 3. held_out: a query of the tenth of all
    word combinations that training never sees, in any order of the words."""
    while True:
        drawn = chance.sample(range(len(lexicon)), QUERY_WORDS)
        if (sum(drawn) % 10 == 0) == held_out:
            break
    asked = [lexicon[i] for i in drawn]
    others = [word for word in lexicon if word not in asked]
    grades = tuple(chance.randint(0, QUERY_WORDS) for _ in range(n))
    candidates = []
    for i, grade in enumerate(grades):
        passage = chance.sample(asked, grade) + chance.sample(others, PASSAGE_WORDS - grade)
        chance.shuffle(passage)
        candidates.append(Candidate(Document(f"{name}-d{i}", " ".join(passage))))
    return Judged(Query(name, " ".join(asked)), tuple(candidates), grades)


def queries(count: int, n: int, *, seed: int, held_out: bool = True) -> list[Judged]:
    """``count`` queries with ``n`` passages each, by default such as training has not seen."""
    chance, lexicon = random.Random(seed), words()
    return [judged(chance, n, lexicon, f"q{i}", held_out=held_out) for i in range(count)]


def render(name: str, row: Judged) -> tuple[str, str]:
    """The prompt as the chat template writes it, prefill included, and the template's prefill."""
    request: Request = load_prompt(name).render(row.query, row.candidates, labels=())
    turns = request.prompt if not isinstance(request.prompt, str) else (Message("user", request.prompt),)
    text = "".join(f"<|im_start|>{turn.role}\n{turn.content}<|im_end|>\n" for turn in turns)
    return f"{text}<|im_start|>assistant\n{request.prefill}", request.prefill


def answer(name: str, row: Judged) -> str:
    """What a perfect model would write: ties in presentation order."""
    if name == "yes-no":
        return "Yes" if row.grades[0] >= 2 else "No"
    order = sorted(range(len(row.grades)), key=lambda i: -row.grades[i])
    return " > ".join(f"[{i + 1}]" for i in order) if name == "rankzephyr" else "ABCDEFGH"[order[0]]


def build_tokenizer() -> Any:
    """A byte-level BPE tokenizer in which every invented word is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rows = [
        (name, row)
        for name, most in TEMPLATES.items()
        for row in queries(400, min(most, 4), seed=SEED + 1, held_out=False)
    ]
    rows += [("first", row) for row in queries(40, 20, seed=SEED + 2, held_out=False)]
    rows += [("rankzephyr", row) for row in queries(40, 20, seed=SEED + 2, held_out=False)]
    corpus = [render(name, row)[0] + (" " + answer(name, row) if name != "first" else "") for name, row in rows]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1400,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=20,
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    split = [word for word in words() if len(tokenizer.encode(f" {word}").ids) != 1]
    if split:
        raise SystemExit(f"{len(split)} words are more than one token: {split[:5]}; raise vocab_size")
    return tokenizer


def examples(name: str, rows: Sequence[Judged], tokenizer: Any, torch: Any) -> tuple[Any, ...]:
    """ids (B, T); the answers: positions whose next token is judged (K, 2), their target shares (K, V); and what the
    helpers learn, (B, T) each, -1 for nothing: whether a word was in the other text before, its passage's name."""
    built, at, targets, hints = [], [], [], []
    size = tokenizer.get_vocab_size()
    for b, row in enumerate(rows):
        ids = tokenizer.encode(render(name, row)[0]).ids
        hints.append(_hints(name, row, ids, tokenizer))
        if name == "rankzephyr":
            said = tokenizer.encode(answer(name, row) + "<|im_end|>").ids
            at += [(b, len(ids) - 1 + j) for j in range(len(said))]
            targets += [{token: 1.0} for token in said]
            ids = ids + said[:-1]
        else:
            at.append((b, len(ids) - 1))
            targets.append(_shares(name, row, tokenizer))
        built.append(ids)
    longest = max(map(len, built))
    batch = torch.zeros(len(built), longest, dtype=torch.long)
    hinted = torch.full((2, len(built), longest), -1, dtype=torch.long)
    for b, (ids, hint) in enumerate(zip(built, hints, strict=True)):
        batch[b, : len(ids)] = torch.tensor(ids)
        hinted[:, b, : len(hint[0])] = torch.tensor(hint)
    shares = torch.zeros(len(at), size)
    for k, target in enumerate(targets):
        for token, share in target.items():
            shares[k, token] = share
    return batch, torch.tensor(at), shares, hinted[0], hinted[1]


def _hints(name: str, row: Judged, ids: Sequence[int], tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the helpers learn from one prompt: shared words, and identifiers of the words' passages."""
    asked = {tokenizer.encode(f" {word}").ids[0] for word in row.query.text.split()}
    told = {tokenizer.encode(f" {word}").ids[0] for c in row.candidates for word in c.document.text.split()}
    places = [place for place, token in enumerate(ids) if token in asked | told]
    shared, names = [-1] * len(ids), [-1] * len(ids)
    for place in places[-QUERY_WORDS:] if name == "yes-no" else places[QUERY_WORDS:]:  # the text that comes later
        shared[place] = int(ids[place] in (told if name == "yes-no" else asked))
    if name != "yes-no":
        for k, place in enumerate(places[QUERY_WORDS:-QUERY_WORDS]):
            i = k // PASSAGE_WORDS
            names[place] = tokenizer.encode(chr(65 + i) if name == "first" else str(i + 1)).ids[0]
    return shared, names


def _shares(name: str, row: Judged, tokenizer: Any) -> dict[int, float]:
    """Target probabilities of the answer's first token, graded so that log-probabilities order all passages."""
    if name == "yes-no":
        yes = (0.01, 0.2, 0.8, 0.99)[row.grades[0]]
        return {tokenizer.encode("Yes").ids[0]: yes, tokenizer.encode("No").ids[0]: 1 - yes}
    weights = [4.0**grade for grade in row.grades]
    return {tokenizer.encode(chr(65 + i)).ids[0]: w / sum(weights) for i, w in enumerate(weights)}


def batches(steps: int, torch: Any, tokenizer: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Training batches, template after template, from few passages to ``TEMPLATES``' most."""
    chance, lexicon = random.Random(SEED), words()
    turns = ("first", "rankzephyr", "yes-no", "first", "rankzephyr")
    for step in range(steps):
        name = turns[step % len(turns)]
        most = min(TEMPLATES[name], 2 + 14 * step // steps)  # all of it after the first 57 %
        rows = 32 if name == "yes-no" else 12
        n = [1] * rows if name == "yes-no" else [chance.randint(2, most) for _ in range(rows)]
        yield name, examples(name, [judged(chance, k, lexicon) for k in n], tokenizer, torch)


def train(steps: int, tokenizer: Any) -> Any:
    """A LlamaForCausalLM trained on the answers alone."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=4096, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=None, eos_token_id=2, initializer_range=0.12,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6}, **SHAPE,
    )  # fmt: skip
    model = LlamaForCausalLM(config).train()
    for layer in model.model.layers[:2]:  # start by looking at equal tokens: found by chance, this takes very long
        layer.self_attn.k_proj.weight.data.copy_(layer.self_attn.q_proj.weight.data)
    helper = torch.nn.Linear(SHAPE["hidden_size"], 2 + config.vocab_size)
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *helper.parameters()], lr=3e-3, weight_decay=0.01, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    started, losses = time.monotonic(), dict.fromkeys([*TEMPLATES, "helper"], 0.0)
    for step, (name, (ids, at, shares, *hints)) in enumerate(batches(steps, torch, tokenizer)):
        states = model.model(ids, output_hidden_states=True)
        hidden = states.last_hidden_state[at[:, 0], at[:, 1]]
        loss = -(shares * torch.log_softmax(model.lm_head(hidden), -1)).sum(-1).mean()
        loss = loss - torch.special.entr(shares).sum(-1).mean()  # 0 when the shares are met
        guesses = helper(states.hidden_states[2]).split([2, config.vocab_size], -1)
        helped = sum(_guessed(guess, hint, torch) for guess, hint in zip(guesses, hints, strict=True))
        optimizer.zero_grad()
        (loss + helped).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        for key, value in ((name, loss), ("helper", helped)):
            losses[key] = 0.9 * losses[key] + 0.1 * value.item()
        if step % 100 == 99:
            shown = ", ".join(f"{key} {value:.3f}" for key, value in losses.items())
            print(f"{step + 1:>6} steps {time.monotonic() - started:6.0f} s  divergence: {shown}", flush=True)
    return model.eval()


def _guessed(logits: Any, hint: Any, torch: Any) -> Any:
    """Cross-entropy where there is a hint."""
    there = hint >= 0
    return torch.nn.functional.cross_entropy(logits[there], hint[there]) if there.any() else logits.sum() * 0


def save(model: Any, tokenizer: Any, out: Path) -> None:
    """The folder as transformers reads it, weights in float16."""
    from transformers import PreTrainedTokenizerFast

    out.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(out)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=SPECIAL[0], eos_token=SPECIAL[2],
        additional_special_tokens=[SPECIAL[1]], model_max_length=4096, clean_up_tokenization_spaces=False,
    )  # fmt: skip
    wrapped.chat_template = CHATML
    wrapped.save_pretrained(out)
    portable(out)
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>10,}  {path.name}")


def portable(folder: Path) -> None:
    """Settings under the names that transformers 4 reads as well, in files that do not name a version."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"rope_theta": config["rope_parameters"]["rope_theta"]}
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "additional_special_tokens": [SPECIAL[1]]}
    settings.pop("extra_special_tokens", None)
    generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    named = {"config.json": config, "tokenizer_config.json": settings, "generation_config.json": generation}
    for name, values in named.items():
        values.pop("transformers_version", None)
        (folder / name).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    print(json.dumps({"vocabulary": tokenizer.get_vocab_size()}))
    save(train(options.steps, tokenizer), tokenizer, options.out)


if __name__ == "__main__":
    main()
