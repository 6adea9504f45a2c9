"""Seals and opens with PyPI `cryptography`: one JSON object a line in, one hexadecimal line out.

`{"do": "seal" | "open", "root": HEX, "context": HEX, "bytes": HEX}`; what does not open is `no`.
"""

import json
import sys

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

for line in sys.stdin:
    task = json.loads(line)
    root, context, data = (bytes.fromhex(task[name]) for name in ("root", "context", "bytes"))
    make = Cobblestone256Encryptor if task["do"] == "seal" else Cobblestone256Decryptor
    worker = make(root, context=context)
    try:
        print((worker.update(data) + worker.finalize()).hex())
    except (InvalidTag, ValueError):
        print("no")
