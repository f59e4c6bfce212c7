"""Serve a language model of this machine to OpenAI clients: chat completions, completions, log-probabilities.

For programs on this machine (it listens on 127.0.0.1); the address goes to standard output as soon as it answers. The
first interrupt or SIGTERM ends it when what is under way is answered, the second at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

from ..core.errors import ConfigError
from ._params import parse_params

_OWN = ("127.0.0.1", "::1", "localhost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", help="a folder or a hub name: a causal language model, or an encoder-decoder")
    add("--host", default="127.0.0.1", metavar="HOST", help="where to listen")
    add("--port", type=int, default=8000, metavar="N", help="0 takes a free one")
    add("--name", default="", metavar="NAME", help="what clients call the model (default: the folder's name)")
    add("--option", action="append", default=[], metavar="NAME=VALUE", help="of the model, such as dtype=bfloat16")
    add("--max-tokens", type=int, default=16_384, metavar="N", help="of one answer; a request for more is refused")
    add("--top-logprobs", type=int, default=20, metavar="N", help="tokens that may be shown for each place")
    add("--max-body", type=int, default=10_000_000, metavar="BYTES", help="of one request")
    add("--queue", type=int, default=256, metavar="N", help="prompts that may wait; more are refused with 429")
    add("--batch", type=int, default=64, metavar="N", help="prompts computed together")
    add("--gather-ms", type=float, default=5.0, metavar="MS", help="that the first of a batch waits for others")
    add("--api-key-env", metavar="VARIABLE", help="holds the key that clients must send (default: none is wanted)")
    add("--drain", type=float, default=30.0, metavar="S", help="seconds for what is under way when it is to end")


def run(args: argparse.Namespace) -> int:
    from ..backends.opening import backend_for
    from ..serve import LanguageModelServer, Limits

    if args.model.startswith(("http://", "https://")):
        raise ConfigError(f"{args.model} is an endpoint already; llm-serve serves a folder or a hub name")
    backend = backend_for(args.model, parse_params(args.option, "--option"))
    limits = Limits(args.max_body, args.max_tokens, args.top_logprobs, queue=args.queue)
    server = LanguageModelServer(
        backend,
        args.host,
        args.port,
        args.name,
        limits,
        args.gather_ms / 1000,
        args.batch,
        args.api_key_env,
        args.drain,
    )
    over = _ends_by_signal()
    with server:
        if args.host not in _OWN and not args.api_key_env:
            print(f"anybody who reaches {args.host} can use the model: give --api-key-env", file=sys.stderr)
        print(server.url, flush=True)
        print(f"serving {server.name}; end with ctrl-c", file=sys.stderr, flush=True)
        over.wait()
        print("ending; what is under way is answered first", file=sys.stderr, flush=True)
    return 0


def _ends_by_signal() -> threading.Event:
    """Set by the first signal; the second raises KeyboardInterrupt."""
    over = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        if over.is_set():
            raise KeyboardInterrupt
        over.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, told)
    return over
