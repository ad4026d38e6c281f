"""Hashes: seeds for each part of an experiment, and the fingerprint of a file."""

import hashlib
import json
from pathlib import Path


def derive_seed(*parts: int | str) -> int:
    """A seed for the named part of an experiment, e.g. `derive_seed(config["seed"], "cnn", 7)`.

    Parts are hashed (BLAKE2b), so that seeds of neighbouring folds are unrelated, adding a model changes no other
    model's seed, and Python's own hash seed plays no role.

    Returns:
        An integer, 0 <= seed < 2**32.
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits, as the command `sha256sum` prints it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content) -> str:
    """BLAKE2b digest of lists, dicts, texts and numbers, 32 hexadecimal digits. The order of a dict plays no role."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
