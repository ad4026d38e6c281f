"""Say what an image shows: `python example.py face.png`. It needs `pip install onnxruntime pillow`."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
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
images = np.array(image, dtype=np.uint8)[np.newaxis]  # (n, height, width), 8-bit grey
session = onnxruntime.InferenceSession(folder / "model.onnx")
(probabilities,) = session.run(["probabilities"], {"images": images})
for probability, name in sorted(zip(probabilities[0], about["classes"], strict=True), reverse=True):
    print(f"{probability:.4f} {name}")
