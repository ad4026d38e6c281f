"""placeholder"""
def source_files(path):
    """placeholder."""
    return [str(path)]
