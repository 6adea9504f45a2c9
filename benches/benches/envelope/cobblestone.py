"""Seals a mebibyte in pieces of 64 KiB with PyPI `cryptography` for each line it reads, as parts of
one message, and prints the nanoseconds that it took."""

import sys
import time

from cryptography.cobblestone import Cobblestone256Encryptor

encryptor = Cobblestone256Encryptor(bytes([7]) * 32, context=b"blob")
piece = bytes(range(251)) * 262
piece = piece[: 64 << 10]
for _line in sys.stdin:
    start = time.perf_counter_ns()
    for _ in range(16):
        encryptor.update(piece)
    print(time.perf_counter_ns() - start, flush=True)
encryptor.finalize()
