"""Draw the checks of filters and feature maps of a model."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import CHECKED_FILTERS, checked_maps, read_arrays
from fercv.data.tables import FEATURE_MAP_CHECKS, FILTER_CHECKS, read_table
from fercv.figures.drawing import save_figure, shortened
from fercv.figures.visualize import feature_map_checks_figure, filter_checks_figure

START_NAMES = {"noise": "noise", "grey": "grey", "mean_face": "mean face"}
PARTS = ["brows", "eyes", "mouth"]


def main(snakemake):
    """Write filter_checks.png and feature_map_checks.png."""
    save_figure(draw_filters(snakemake), *snakemake.output.filters)
    save_figure(draw_maps(snakemake), *snakemake.output.maps)


def draw_filters(snakemake):
    """The figure of what ascents have found, and of real images."""
    table = read_table(snakemake.input.filters_table, FILTER_CHECKS)
    # For each filter there is a row for each method and start, and one for a real image.
    kinds = 2 * len(START_NAMES) + 1
    rows = table.iloc[::kinds]
    saved = read_arrays(snakemake.input.filters, CHECKED_FILTERS, lengths={"f": len(rows), "k": kinds - 1})
    standing = [f"{row.deviations:+.0f} sd, {row.percentile:.0f} %" for row in table.itertuples()]
    standing = np.array(standing).reshape(-1, kinds).T
    real = np.moveaxis(saved["exciting"], 1, 0)
    nothing = np.full((len(real) - 1, len(rows)), "")
    groups = [
        (
            f"{method.capitalize()} ascent from",
            list(START_NAMES.values()),
            saved["images"][part],
            standing[part],
            medians(table, method),
        )
        for method, part in (("plain", slice(0, 3)), ("robust", slice(3, 6)))
    ]
    groups.append(
        (
            "Real images that excite it most",
            ["1", "2", "3"][: len(real)],
            real,
            np.concatenate([standing[-1:], nothing]),
            medians(table, "real"),
        )
    )
    classes, last = snakemake.params.classes, table["layer"].iloc[-1]
    names = [
        shortened(classes[row.filter], 12) if row.layer == last else f"{shortened(row.layer, 12)}\nfilter {row.filter}"
        for row in rows.itertuples()
    ]
    note = (
        "Above an image: by how many standard deviations (sd) of the real images it excites the filter more than they "
        "do on average, and the percentage of them that excite it no more. 100 % alone proves nothing: ascents easily "
        "beat all real images. Below a group are medians over all its images: how they stand in the model of another "
        "fold, where only what both models have learned stands high, and the share of their energy in waves below 4 "
        "pixels, of which faces have little. Each image is on a grey scale of its own."
    )
    return filter_checks_figure(groups, names, f"Filters and classes of {snakemake.wildcards.model}, checked", note)


def medians(table, method):
    """What the images of a method are worth, in the median over filters and starts."""
    found = table[table["method"] == method][["high_frequency", "other_deviations"]].median()
    elsewhere, energy = found["other_deviations"], found["high_frequency"]
    return f"another fold: {elsewhere:+.1f} sd", f"fine waves: {energy:.2f} of the energy"


def draw_maps(snakemake):
    """The figure of feature maps of several layers."""
    table = read_table(snakemake.input.maps_table, FEATURE_MAP_CHECKS)
    layers = [layer for layer in table["layer"].unique() if layer != "image"]
    classes = snakemake.params.classes
    saved = read_arrays(snakemake.input.maps, checked_maps(len(layers)), below={"labels": len(classes)})
    known = not table[PARTS].isna().all(axis=None)
    groups = []
    for number, layer in enumerate(layers):
        for place, weights in enumerate(("trained", "random")):
            channels = saved[f"channels_{number}"][place]
            rows = table[(table["layer"] == layer) & (table["weights"] == weights)].set_index("channel").loc[channels]
            names = [str(channel) for channel in channels]
            if known:
                areas = [rows[part].iloc[column] for column, part in enumerate(PARTS)]
                names = [f"{name}\n{part}\n{area:.2f}" for name, part, area in zip(names, PARTS, areas, strict=True)]
            groups.append((f"{layer}\n{weights} weights", names, saved[f"maps_{number}"][place]))
    names = [shortened(classes[label], 12) for label in saved["labels"]]
    note = "Above each map: its channel, from 0. Dark to bright: from the lowest to the highest value of a group. " + (
        "Each group shows the map of its layer that lights up most on the brows, on the eyes, and on the mouth. "
        "Number: area under the ROC curve, from 0 to 1; one map has 0.5 by chance, and the best of many has more. So "
        "compare it with the best map of as many with random weights, which show what needs no training."
        if known
        else "Each group shows the maps whose values vary most."
    )
    title = f"Feature maps of {snakemake.wildcards.model}, checked"
    return feature_map_checks_figure(saved["images"], names, groups, title, note)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
