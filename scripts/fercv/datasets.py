"""placeholder"""
import hashlib
import numpy as np
def duplicate_groups(images):
    """placeholder."""
    seen = {}
    return np.array([seen.setdefault(hashlib.blake2b(i.tobytes()).digest(), len(seen)) for i in images])
