"""Check that a finished demo shows what it promises: `python tests/check_demo.py results/demo`.

Balanced accuracy (mean over the folds) of at least 0.5 for cnn and 0.3 for fc, and every class predicted at least once
in every model's pooled confusion matrix. On the held-out images, the ensemble of each model's folds is at least as
accurate as these are on average, and its log loss is at most theirs. The cnn is really better than fc: the p-values of
both measures, adjusted, are below 0.05. Its calibration error, as far as it is not chance, is below 0.1.
"""

import sys
from pathlib import Path

import pandas as pd

PROMISED = {"cnn": 0.5, "fc": 0.3}


def main(demo: Path) -> int:
    """Print a line for each check; return the number of those that failed."""
    failed = 0
    for model in ("cnn", "fc", "fc_dropout"):
        summary = pd.read_csv(demo / model / "summary.csv").set_index("measure")
        accuracy, promised = summary.loc["balanced_accuracy", "mean"], PROMISED.get(model, 0)
        predicted = pd.read_csv(demo / model / "confusion_matrix.csv", index_col="true").sum()
        never = list(predicted.index[predicted == 0])
        held_out = pd.read_csv(demo / model / "held_out_metrics.csv")
        gains = held_out[held_out["predictions"] == "difference"].groupby("measure")["value"]
        more, loss = gains.min()["accuracy"], gains.max()["log_loss"]
        for holds, text in [
            (accuracy >= promised, f"balanced accuracy {accuracy:.3f}, promised {promised}"),
            (not never, f"classes never predicted: {', '.join(never) or 'none'}"),
            (more >= 0 and loss <= 0, f"the ensemble gains at least {more:.3f} in accuracy, {-loss:.3f} in log loss"),
        ]:
            print("ok    " if holds else "FAILED", f"{model}: {text}")
            failed += not holds
    pair = pd.read_csv(demo / "comparison.csv").query("model == 'cnn' and versus == 'fc'")
    largest = pair["p_adjusted"].max()
    error = pd.read_csv(demo / "cnn" / "pooled_metrics.csv").set_index("measure").loc["calibration_error", "high"]
    for holds, text in [
        ((pair["mean"] > 0).all() and largest < 0.05, f"cnn is better than fc: adjusted p-values up to {largest:.2g}"),
        (error < 0.1, f"cnn: calibration error at most {error:.3f}, promised 0.1"),
    ]:
        print("ok    " if holds else "FAILED", text)
        failed += not holds
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
