"""Check what filters and feature maps of a model show, with other starts, real images and known parts of faces."""

from fercv.workflow.jobs import run

import numpy as np
import pandas as pd

from fercv.data.arrays import open_images, read_part_masks
from fercv.data.preprocessing import standardize
from fercv.data.tables import FEATURE_MAP_CHECKS, FOLDS, SAMPLES, read_table, write_table
from fercv.engine.backend import keras
from fercv.engine.setup import set_up
from fercv.nets.models import load_model
from fercv.visualize.filter_checks import check_filters
from fercv.visualize.layers import layer_outputs, outputs_model
from fercv.visualize.parts import check_maps, maps_table
from fercv.visualize.robust_ascent import Distortion
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of

# So many validation images at most have their feature maps measured: all maps of a layer are in memory together.
MAPPED = 200
# So many real images of each filter are shown, and so many maps of each layer where no part of a face is known.
EXCITING = 3
SHOWN_MAPS = 3
BATCH_SIZE = 64


def main(snakemake):
    """Write filter_checks.npz and .csv, feature_map_checks.npz and .csv."""
    inputs, params, model_name = snakemake.input, snakemake.params, snakemake.wildcards.model
    options = params.layer_checks
    # The weights of the untrained net are drawn from this seed, too.
    set_up(seed=derive_seed(params.seed, model_name, "layer checks"), **resources_of(snakemake))
    images = open_images(inputs.images)
    samples = read_table(inputs.samples, SAMPLES, below={"label": len(params.classes)})
    folds = read_table(inputs.folds, FOLDS, below={"index": len(samples)})
    index, mapped = choose_images(folds, options["fold"], options["images"])
    real = standardize(images[index])[..., 0]
    expected = (params.architecture, len(params.classes), images.shape[1:])
    model, other = (load_model(path, *expected) for path in (inputs.model, inputs.other))

    # The units of the last layer are the classes.
    last = model.layers[-1].name
    layers = [*(layer for layer in params.layers if layer != last), last]
    plain = params.ascent | {"steps": options["steps"]}
    distortion = Distortion(options["shift"], options["rotation"], options["zoom"])
    checked = check_filters(
        model,
        other,
        layers,
        real,
        count=options["filters"],
        exciting=EXCITING,
        mapped=mapped,
        plain=plain,
        robust=plain | {"step_size": options["step_size"], "distortion": distortion},
        # As in the rule ascend_filters, so that its images begin with the same noise.
        seeds=[derive_seed(params.seed, model_name, layer, "ascent") for layer in layers],
        batch_size=BATCH_SIZE,
    )
    write_table(checked.table, snakemake.output.filters_table)
    np.savez(snakemake.output.filters, images=checked.images, exciting=images[index[checked.exciting]])

    index = index[:mapped]
    truth = read_part_masks(inputs.truth, len(images)) if inputs.get("truth") else {}
    masks = {part: of_all[index] for part, of_all in truth.items()}
    labels = samples.loc[index, "label"].to_numpy()
    shown = np.unique(labels, return_index=True)[1]
    tables = [maps_table(images[index][..., np.newaxis], masks).assign(layer="image", weights="none")]
    arrays = {"images": images[index[shown]], "labels": labels[shown]}
    untrained = layer_outputs(outputs_model(keras.models.clone_model(model), layers), real[:mapped], mapped, BATCH_SIZE)
    spatial = [layer for layer, maps in zip(layers, checked.maps, strict=True) if maps is not None]
    for number, layer in enumerate(spatial):
        place = layers.index(layer)
        maps = check_maps(checked.maps[place], untrained[place].maps, masks, shown, SHOWN_MAPS)
        tables.append(maps.table.assign(layer=layer))
        arrays |= {f"channels_{number}": maps.channels, f"maps_{number}": maps.maps}
    write_table(pd.concat(tables).reindex(columns=list(FEATURE_MAP_CHECKS)), snakemake.output.maps_table)
    np.savez(snakemake.output.maps, **arrays)


def choose_images(folds: pd.DataFrame, fold: int, count: int) -> tuple[np.ndarray, int]:
    """Choose at most `count` real images: first validation images, whose feature maps are measured, then others.

    Returns:
        Their numbers, int64; how many of them are the first ones.
    """
    validated = folds["fold"] == fold
    first = folds.loc[validated, "index"].to_numpy()[: min(MAPPED, count)]
    others = folds.loc[~validated, "index"].to_numpy()
    places = np.linspace(0, len(others) - 1, min(len(others), count - len(first))).round().astype(int)
    return np.concatenate([first, others[places]]), len(first)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
