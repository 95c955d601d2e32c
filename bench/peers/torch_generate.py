"""PyTorch's side of `bench.generate`: a GPT written out, eager, with keys and values kept.

Reads one JSON object a line, `{"batch": 1, "prompt": 32, "tokens": 128}`, and answers with the
seconds that choosing so many tokens took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

VOCABULARY, LENGTH, WIDTH, HEADS, BLOCKS = (int(word) for word in sys.argv[1:6])
Cache = tuple[torch.Tensor, torch.Tensor]


class Block(nn.Module):
    """Pre-norm, one product for query, key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.heads, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Any, cache: Cache, start: int) -> Any:
        batch, steps, _ = x.shape
        heads = self.heads(self.before(x)).view(batch, steps, 3, HEADS, WIDTH // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        end = start + steps
        cache[0][:, :, start:end], cache[1][:, :, start:end] = key, value
        kept = (array[:, :, :end] for array in cache)
        y = functional.scaled_dot_product_attention(query, *kept, is_causal=steps > 1)
        x = x + self.joined(y.transpose(1, 2).reshape(batch, steps, WIDTH))
        return x + self.down(functional.gelu(self.up(self.between(x))))


class Network(nn.Module):
    """Logits of the step after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.after, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens: Any, caches: list[Cache], start: int) -> Any:
        x = self.tokens(tokens) + self.positions(torch.arange(start, start + tokens.shape[1]))
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, cache, start)
        return self.head(self.after(x[:, -1]))


@torch.inference_mode()
def generate(network: Network, prompt: Any, count: int) -> Any:
    """The likeliest tokens, one after the other."""
    batch, start = prompt.shape
    shape = (batch, HEADS, start + count, WIDTH // HEADS)
    caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(BLOCKS)]
    tokens, chosen, place = prompt, [], 0
    for _ in range(count):
        logits = network(tokens, caches, place)
        place += tokens.shape[1]
        tokens = logits.argmax(-1, keepdim=True)
        chosen.append(tokens)
    return torch.cat(chosen, 1)


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = Network().eval()
    for line in sys.stdin:
        request = json.loads(line)
        prompt = torch.randint(0, VOCABULARY, (request["batch"], request["prompt"]))
        start = time.perf_counter()
        generate(network, prompt, request["tokens"])
        print(json.dumps(time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
