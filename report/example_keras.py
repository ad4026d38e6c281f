"""Say what an image shows: `python example.py face.png`. It needs `pip install keras tensorflow pillow`."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageOps

folder = Path(__file__).parent
about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
height, width = about["image_size"]
if len(sys.argv) != 2:
    sys.exit("one image expected: python example.py face.png")
image = ImageOps.exif_transpose(Image.open(sys.argv[1]))
if image.mode[0] in "IF":
    sys.exit(f"{sys.argv[1]}: 8 bits for each channel expected, the mode {image.mode} found; convert it first")
if image.has_transparency_data:
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))  # as in the training
image = image.convert("L").resize((width, height))
pixels = np.array(image, dtype=np.float32)
pixels = (pixels - pixels.mean()) / max(pixels.std(), 1e-3)  # as in the training
views = np.stack([pixels, pixels[:, ::-1]] if about["mirrored_prediction"] else [pixels])
model = keras.saving.load_model(folder / "model.keras", compile=False)
probabilities = keras.ops.convert_to_numpy(model(views.reshape(-1, *model.input_shape[1:]))).mean(axis=0)
for probability, name in sorted(zip(probabilities, about["classes"], strict=True), reverse=True):
    print(f"{probability:.4f} {name}")
