"""The painter of the drawn faces.

A face is painted as a cartoonist would: an identity (head, skin, hair, eyes), an expression, a pose, a light, a camera.
Every shape is an inequality between smooth functions of the face coordinates (u to the right, v downwards; the head is
about 2 units high), evaluated at each pixel, so that pose is a change of coordinates and edges are antialiased exactly.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from fercv.data.expressions import Expression

PARTS = ("brows", "eyes", "mouth")
SUPERSAMPLING = 2


class Identity(NamedTuple):
    """Who it is: lengths in face units, tones from 0 (black) to 1 (white)."""

    head_width: float
    jaw_taper: float
    skin: float
    hair: float
    hair_style: str
    hairline: float
    parting: float
    brow_thickness: float
    brow_height: float
    brow_tilt: float
    eye_distance: float
    eye_width: float
    eye_opening: float
    iris: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    mouth_corner: float
    lip_thickness: float
    lip_tone: float
    beard: float
    sneer_side: int
    glasses: bool


HAIR_STYLES = {"bald": 0.08, "short": 0.24, "parted": 0.2, "fringe": 0.16, "long": 0.2, "curly": 0.12}


def draw_identity(generator: np.random.Generator) -> Identity:
    """Draw who a face is."""
    uniform = generator.uniform
    return Identity(
        head_width=uniform(0.72, 0.84),
        jaw_taper=uniform(0.12, 0.34),
        skin=uniform(0.42, 0.8),
        hair=uniform(0.05, 0.3) if uniform() < 0.7 else uniform(0.5, 0.9),
        hair_style=str(generator.choice(list(HAIR_STYLES), p=list(HAIR_STYLES.values()))),
        hairline=uniform(-0.72, -0.6),
        parting=uniform(-0.5, 0.5),
        brow_thickness=uniform(0.035, 0.06),
        brow_height=uniform(-0.35, -0.27),
        brow_tilt=uniform(-0.03, 0.03),
        eye_distance=uniform(0.34, 0.39),
        eye_width=uniform(0.19, 0.225),
        eye_opening=uniform(0.9, 1.15),
        iris=uniform(0.08, 0.35),
        nose_length=uniform(0.2, 0.27),
        nose_width=uniform(0.11, 0.16),
        mouth_width=uniform(0.26, 0.34),
        mouth_height=uniform(0.48, 0.56),
        mouth_corner=uniform(-0.03, 0.03),
        lip_thickness=uniform(0.045, 0.08),
        lip_tone=uniform(0.55, 0.75),
        beard=uniform(0.2, 0.5) if uniform() < 0.15 else 0.0,
        sneer_side=1 if uniform() < 0.5 else -1,
        glasses=uniform() < 0.1,
    )


class MouthShape(NamedTuple):
    """Where the mouth is, in face units; arrays hold a value for each pixel."""

    width: float  # half the mouth's width
    u: np.ndarray  # distance to the right of the mouth's middle
    x: np.ndarray  # u in half widths: -1 and 1 at the corners
    # The next five are the v of a line.
    middle: np.ndarray  # between the lips of a closed mouth
    top: np.ndarray  # of the upper lip
    upper_edge: np.ndarray  # of the opening
    lower_edge: np.ndarray
    bottom: np.ndarray  # of the lower lip


class Painter:
    """Paints one face on a supersampled canvas of tones from 0 to 1, layer over layer."""

    def __init__(self, identity: Identity, expression: Expression, size: int, generator: np.random.Generator):
        self.identity = identity
        self.expression = expression
        self.generator = generator
        uniform, normal = generator.uniform, generator.normal
        pixels = size * SUPERSAMPLING
        axis = (np.arange(pixels, dtype=np.float32) + 0.5) / pixels * 2 - 1
        self.x, self.y = np.meshgrid(axis, axis)

        def jitter(deviation: float, limit: float) -> float:
            return min(max(normal(0, deviation), -limit), limit)

        angle = math.radians(jitter(6, 14))
        scale = uniform(0.95, 1.15)
        x, y = self.x - jitter(0.055, 0.12), self.y + 0.06 - jitter(0.055, 0.12)
        self.head_u = (math.cos(angle) * x + math.sin(angle) * y) / scale
        self.head_v = (math.cos(angle) * y - math.sin(angle) * x) / scale
        self.edge = 2 / pixels / scale

        # A turned head shifts its features most where it bulges most.
        self.turn = jitter(0.07, 0.15)
        nod = jitter(0.04, 0.08)
        bulge = np.clip(1 - (self.head_u / identity.head_width) ** 2, 0, 1)
        self.u = self.head_u - self.turn * bulge
        self.v = self.head_v - nod * np.clip(1 - self.head_v**2, 0, 1)
        self.light_direction = uniform(0, 2 * math.pi)
        self.light = self._light()
        self.canvas = np.zeros_like(self.x)
        self.parts = {part: np.zeros_like(self.x) for part in PARTS}

    def paint(self) -> tuple[np.ndarray, np.ndarray]:
        """The canvas and the parts' coverage, (height, width) and (3, height, width)."""
        self._background()
        self._back_hair()
        self._head()
        self._front_hair()
        self._folds()
        self._nose()
        self._mouth()
        for side in (-1, 1):
            self._eye(side)
            self._brow(side)
        if self.identity.glasses:
            self._glasses()
        return self.canvas, np.stack([self.parts[part] for part in PARTS])

    def _light(self) -> np.ndarray:
        """Brightness of a head lit from one side, about 0.6 to 1.2: Lambert's cosine law on an ellipsoid."""
        uniform = self.generator.uniform
        direction = self.light_direction
        slant = uniform(0.2, 0.75)
        across, down = self.head_u, self.head_v / 1.2
        facing = np.sqrt(np.clip(1 - across**2 - down**2, 0.02, 1))
        cosine = (across * math.cos(direction) + down * math.sin(direction)) * slant + facing * math.sqrt(1 - slant**2)
        ambient = uniform(0.45, 0.7)
        return ambient + (1.12 - ambient) * np.clip(cosine, 0, 1)

    def _lay(self, coverage: np.ndarray, tone: np.ndarray | float) -> None:
        """Paint over what is there."""
        self.canvas += np.clip(coverage, 0, 1) * (tone - self.canvas)

    def _shade(self, amount: np.ndarray) -> None:
        """Darken where `amount` is positive, lighten where it is negative."""
        self.canvas *= 1 - np.clip(amount, -0.5, 1)

    def _inside(self, distance: np.ndarray) -> np.ndarray:
        """Coverage of each pixel by the region where `distance`, in face units, is negative."""
        return np.clip(0.5 - distance / self.edge, 0, 1)

    def _ellipse(self, u: np.ndarray, v: np.ndarray, width: float, height: float) -> np.ndarray:
        """Distance to an ellipse around the origin, exact at its edge only."""
        return (np.sqrt((u / width) ** 2 + (v / height) ** 2) - 1) * min(width, height)

    def _stroke(self, along: np.ndarray, offset: np.ndarray, thickness: float) -> np.ndarray:
        """A line that tapers towards its ends at along = -1 and 1; offset is the distance from its middle."""
        taper = np.sqrt(np.clip(1 - along**2, 0, 1))
        return self._inside(np.abs(offset) - thickness * taper) * (np.abs(along) < 1)

    def _line(self, darkness: float, along: np.ndarray, offset: np.ndarray, thickness: float) -> None:
        """Draw a dark line, see `_stroke`. Many expressions lack many lines, whose darkness is 0."""
        if darkness:
            self._shade(darkness * self._stroke(along, offset, thickness))

    def _bump(self, u: np.ndarray, v: np.ndarray, width: float, height: float) -> np.ndarray:
        return np.exp(-((u / width) ** 2) - (v / height) ** 2)

    def _background(self) -> None:
        uniform = self.generator.uniform
        angle = uniform(0, 2 * math.pi)
        gradient = self.x * math.cos(angle) + self.y * math.sin(angle)
        self.canvas += uniform(0.15, 0.85) + uniform(0, 0.12) * gradient

    def _hair_tone(self) -> np.ndarray:
        strands = np.sin(self.head_u * 38 + 3 * np.sin(self.head_v * 5))
        return np.clip((self.identity.hair + 0.035 * strands) * self.light, 0, 1)

    def _back_hair(self) -> None:
        style, width = self.identity.hair_style, self.identity.head_width
        if style == "bald":
            return
        if style == "long":
            crown = self._ellipse(self.head_u, self.head_v + 0.1, width + 0.2, 1.1)
            outline = np.where(self.head_v > -0.1, np.abs(self.head_u) - width - 0.2, crown)
        elif style == "curly":
            ripple = 0.05 * np.sin(9 * np.arctan2(self.head_u, -self.head_v))
            outline = self._ellipse(self.head_u, self.head_v + 0.3, width + 0.22, 0.95) - ripple
        else:
            outline = self._ellipse(self.head_u, self.head_v + 0.22, width + 0.06, 0.93)
        self._lay(self._inside(outline), self._hair_tone())

    def _head(self) -> None:
        identity = self.identity
        skin = identity.skin * self.light
        neck = np.abs(self.head_u) - 0.42
        self._lay(self._inside(np.where(self.head_v > 0.5, neck, 1)), skin * 0.7)
        for side in (-1, 1):
            ear_u, ear_v = self.head_u - side * identity.head_width, self.head_v - 0.02
            self._lay(self._inside(self._ellipse(ear_u, ear_v, 0.1, 0.2)), skin * 0.9)
            self._shade(0.35 * self._inside(self._ellipse(ear_u - side * 0.02, ear_v, 0.045, 0.12)))

        bottom = 0.95 + self.expression.jaw
        down = np.where(self.head_v > 0, self.head_v / bottom, self.head_v)
        width = identity.head_width * (1 - identity.jaw_taper * np.clip(self.head_v, 0, 1) ** 1.5)
        outline = ((np.abs(self.head_u) / width) ** 2.3 + np.abs(down) ** 2.3) ** (1 / 2.3) - 1
        self.face = self._inside(outline * identity.head_width)
        self._lay(self.face, skin)
        # The rim turns away from the light.
        self._shade(0.35 * self.face * np.clip(1 + outline * 5, 0, 1) ** 2)
        if identity.beard:
            jaw = np.clip((self.v - 0.3) * 4, 0, 1) * np.clip((outline + 0.75) * 4, 0, 1)
            self._lay(self.face * jaw * identity.beard, identity.hair * self.light * 0.7)

    def _front_hair(self) -> None:
        identity, style = self.identity, self.identity.hair_style
        if style == "bald":
            shine = self._bump(self.head_u - identity.parting * 0.5, self.head_v + 0.75, 0.25, 0.12)
            self._shade(-0.15 * shine * self.face)
            return
        u = self.head_u / identity.head_width
        hairline = {
            "short": identity.hairline + 0.1 * np.abs(u) ** 2,
            "parted": identity.hairline - 0.12 + 0.42 * np.abs(u - identity.parting) ** 1.3,
            "fringe": -0.52 + 0.03 * np.sin(u * 22) + 0.1 * u**2,
            "long": identity.hairline - 0.12 + 0.55 * np.abs(u - identity.parting * 0.5) ** 1.5,
            "curly": identity.hairline + 0.04 * np.sin(u * 14) + 0.12 * u**2,
        }[style]
        # Hair comes down at the temples.
        hairline = hairline + 0.7 * np.abs(u) ** 10
        self._lay(self.face * self._inside(self.head_v - hairline), self._hair_tone())
        shadow = np.clip(1 - (self.head_v - hairline) / 0.12, 0, 1) * (self.head_v > hairline)
        self._shade(0.2 * shadow * self.face)

    def _folds(self) -> None:
        """Shading of the sockets and cheeks, and the lines that an expression draws into the skin."""
        identity, expression = self.identity, self.expression
        for side in (-1, 1):
            u = self.u * side
            self._shade(0.22 * self._bump(u - identity.eye_distance + 0.04, self.v + 0.15, 0.26, 0.14))
            cheek = self._bump(u - 0.42, self.v - 0.22 + 0.06 * expression.cheek, 0.2, 0.14)
            self._shade(-(0.07 + 0.13 * expression.cheek) * cheek)
            if expression.cheek:
                self._shade(0.12 * expression.cheek * self._bump(u - 0.44, self.v - 0.4, 0.2, 0.08))
            # From the wing of the nose around the corner of the mouth.
            along = (self.v - 0.38) / 0.2
            line = 0.2 + 0.13 * (along + 1) + 0.05 * (1 - along**2)
            self._line(0.1 + 0.5 * expression.fold, along, u - line, 0.022)
            along = (self.v + 0.34 + 0.03 * expression.frown_lines) / 0.13
            self._line(0.55 * expression.frown_lines, along, u - 0.045, 0.018)
        for height in (0.57, 0.66) if expression.forehead_lines else ():
            along = self.u / 0.38
            line = -height - 0.01 + 0.04 * along**2
            self._shade(0.3 * expression.forehead_lines * self.face * self._stroke(along, self.v - line, 0.014))

    def _nose(self) -> None:
        identity, expression = self.identity, self.expression
        length = identity.nose_length - 0.05 * expression.nose_wrinkle
        width = identity.nose_width * (1 + 0.25 * expression.nose_wrinkle)
        u = self.u - 0.5 * self.turn
        lit_side = math.copysign(1, math.cos(self.light_direction))
        # Light on the ridge and the tip, shade on the side away from the light and beneath the tip.
        self._shade(-0.12 * self._bump(u, self.v - length * 0.35, 0.05, 0.26))
        self._shade(-0.14 * self._bump(u, self.v - length + 0.03, 0.08, 0.07))
        self._shade(0.2 * self._bump(u + 0.1 * lit_side, self.v - length * 0.4, 0.045, 0.22))
        self._shade(0.28 * self._bump(u, self.v - length - 0.075, width * 1.1, 0.04))
        for side in (-1, 1):
            nostril = self._ellipse(u * side - width * 0.52, self.v - length - 0.035, 0.045, 0.028)
            self._shade(0.75 * self._inside(nostril))
            wing = self._ellipse(u * side - width * 0.95, self.v - length, 0.03, 0.065)
            self._shade(0.35 * self._inside(wing))
        for height in (-0.12, -0.045, 0.03):
            along = u / 0.12
            line = height + 0.05 * along**2
            self._line(0.55 * expression.nose_wrinkle, along, self.v - line, 0.018)
        for side in (-1, 1):
            along = (self.v - 0.1) / 0.13
            self._line(0.5 * expression.nose_wrinkle, along, u * side - 0.15 - 0.03 * along, 0.018)

    def _mouth(self) -> None:
        expression, shape = self.expression, self._mouth_shape()
        lips = self._lips(shape)
        opening = self._mouth_opening(shape)
        line = self._stroke(shape.x, self.v - shape.upper_edge, 0.022)
        self._shade(0.8 * line)
        for side in (-1, 1):
            self._shade(0.4 * self._bump(shape.u - shape.width * side, self.v - shape.middle, 0.035, 0.04))
        if expression.chin > 0:
            crease = self._stroke(shape.u / 0.2, self.v - shape.bottom - 0.08 - 2 * shape.u**2, 0.025)
            self._shade(0.3 * expression.chin * crease)
        self.parts["mouth"] = np.maximum.reduce([lips, opening, line])

    def _mouth_shape(self) -> MouthShape:
        identity, expression = self.identity, self.expression
        width = identity.mouth_width + expression.mouth_width
        u = self.u - 0.2 * self.turn
        x = u / width
        inner = np.clip(1 - x**2, 0, 1)
        corner = identity.mouth_corner + expression.mouth_corner
        middle = identity.mouth_height - expression.mouth_height - corner * (x**2 - 0.45)
        profile = inner ** (0.55 - 0.33 * expression.squareness)
        lift = np.clip(expression.upper_lip * inner * (1 + identity.sneer_side * expression.sneer * x), 0, 1)
        upper_edge = middle - 0.3 * expression.gap * profile - lift
        lower_edge = middle + 0.7 * expression.gap * profile - 0.6 * lift
        lips = identity.lip_thickness * (1 - 0.65 * min(expression.pressed, 1))
        bow = 0.75 + 0.25 * np.cos(3 * math.pi * np.clip(x, -0.66, 0.66) + math.pi)
        top = upper_edge - lips * 0.8 * inner**0.6 * bow
        bottom = lower_edge + lips * 1.15 * inner**0.5
        return MouthShape(width, u, x, middle, top, upper_edge, lower_edge, bottom)

    def _lips(self, shape: MouthShape) -> np.ndarray:
        """Paint the lips; return their coverage, the opening between them included."""
        lips = self._inside(np.maximum(shape.top - self.v, self.v - shape.bottom)) * (np.abs(shape.x) < 1)
        skin = self.identity.skin * self.light
        self._shade(0.2 * self._bump(shape.u, self.v - shape.bottom - 0.06, shape.width * 0.6, 0.035))
        self._lay(lips, skin * self.identity.lip_tone * np.where(self.v > shape.lower_edge, 1.12, 0.95))
        return lips

    def _mouth_opening(self, shape: MouthShape) -> np.ndarray:
        """Paint what is seen between the lips; return its coverage, with that of a tongue that is put out."""
        expression, skin = self.expression, self.identity.skin * self.light
        upper_edge, lower_edge = shape.upper_edge, shape.lower_edge
        opening = self._inside(np.maximum(upper_edge - self.v, self.v - lower_edge)) * (np.abs(shape.x) < 1)
        self._lay(opening, 0.06)
        # The tongue at the bottom of a mouth that is wide open.
        if expression.gap > 0:
            tongue = self._inside(self._ellipse(shape.x, self.v - lower_edge, 0.6, 0.35 * expression.gap))
            self._lay(opening * tongue, 0.28 * skin)
        gap = lower_edge - upper_edge
        teeth = np.maximum(
            self._inside(self.v - upper_edge - gap * expression.upper_teeth) * (expression.upper_teeth > 0),
            self._inside(lower_edge - gap * expression.lower_teeth - self.v) * (expression.lower_teeth > 0),
        )
        self._lay(opening * teeth * (np.abs(shape.x) < 0.93), 0.92 * np.clip(self.light, 0.7, 1))
        if expression.tongue > 0:
            outline = self._ellipse(shape.u, self.v - lower_edge + 0.02, 0.4 * shape.width, 0.26 * expression.tongue)
            tongue = self._inside(np.maximum(outline, upper_edge + 0.4 * gap - self.v))
            self._lay(tongue, skin * 0.95)
            self._shade(0.6 * self._inside(np.abs(outline) - 0.014) * (self.v > lower_edge))
            self._shade(0.4 * tongue * self._inside(np.abs(shape.u) - 0.012))
            opening = np.maximum(opening, tongue)
        return opening

    def _eye(self, side: int) -> None:
        identity, expression = self.identity, self.expression
        u = self.u * side
        v = self.v + 0.1
        x = (u - identity.eye_distance) / identity.eye_width
        inner = np.clip(1 - x**2, 0, 1)
        upper = max(0.095 * identity.eye_opening + expression.upper_lid, 0.012)
        lower = 0.055 * identity.eye_opening + expression.lower_lid
        upper_edge = -upper * inner**0.7 * (1 + expression.lid_slant * x) - 0.015 * x
        lower_edge = np.maximum(lower * inner**0.8 - 0.015 * x, upper_edge + 0.012)
        within = np.abs(x) < 1
        opening = self._inside(np.maximum(upper_edge - v, v - lower_edge)) * within

        self._lay(opening, 0.93 * np.clip(self.light, 0.75, 1.05))
        iris_u, iris_v = u - identity.eye_distance, v + 0.015
        self._lay(opening * self._inside(self._ellipse(iris_u, iris_v, 0.082, 0.082)), identity.iris)
        self._lay(opening * self._inside(self._ellipse(iris_u, iris_v, 0.042, 0.042)), 0.02)
        highlight = self._ellipse(self.u - side * identity.eye_distance + 0.03, v + 0.045, 0.02, 0.02)
        self._lay(opening * self._inside(highlight), 0.95)
        self._shade(0.35 * opening * np.clip(1 - (v - upper_edge) / 0.04, 0, 1))
        upper_line = self._stroke(x / 1.06, v - upper_edge, 0.026)
        lower_line = self._stroke(x, v - lower_edge, 0.014)
        self._shade(0.85 * upper_line)
        self._shade(0.4 * lower_line)
        self._line(0.25, x, v - upper_edge + 0.05, 0.014)
        # Bags beneath a raised lower lid, crow's feet beside it.
        self._line(0.4 * expression.eye_lines, x, v - lower_edge - 0.055 - 0.02 * inner, 0.016)
        for tilt in (-0.5, 0.5):
            along = (x - 1.35) / 0.28
            line = -0.02 + 0.05 * tilt * (along + 1.5)
            self._line(0.4 * expression.eye_lines, along, v - line, 0.014)
        if expression.tear > 0.35 and side > 0:
            drop = self._ellipse(u - identity.eye_distance - 0.02, v - 0.2, 0.045, 0.1)
            self._shade(0.4 * self._inside(drop - 0.018))
            self._lay(self._inside(drop), 0.97)
        self.parts["eyes"] = np.maximum.reduce([self.parts["eyes"], opening, upper_line, lower_line])

    def _brow(self, side: int) -> None:
        identity, expression = self.identity, self.expression
        u = self.u * side - identity.eye_distance - 0.01
        half_width = 0.235
        # The inner end alone moves towards the nose.
        x = (u + expression.brows_together / 2) / (half_width + expression.brows_together / 2)
        inner, middle = expression.brow_inner, expression.brow_middle + 0.05
        outer = expression.brow_outer + identity.brow_tilt
        rise = middle + (outer - inner) / 2 * x + ((outer + inner) / 2 - middle) * x**2
        slope = (outer - inner) / 2 / half_width
        offset = (self.v - identity.brow_height + rise) / math.sqrt(1 + slope**2)
        thickness = identity.brow_thickness * (1.05 - 0.25 * x)
        brow = self._inside(np.abs(offset) - thickness * np.clip(1 - np.abs(x) ** 5, 0, 1)) * (np.abs(x) < 1)
        tone = min(identity.hair * 0.8, identity.skin * 0.55) * self.light
        self._lay(0.92 * brow, tone)
        self.parts["brows"] = np.maximum(self.parts["brows"], brow)

    def _glasses(self) -> None:
        for side in (-1, 1):
            lens = self._ellipse(self.u * side - self.identity.eye_distance, self.v + 0.08, 0.27, 0.2)
            self._lay(0.8 * self._inside(np.abs(lens) - 0.016), 0.1)
        self._lay(0.8 * self._stroke(self.u / 0.12, self.v + 0.1, 0.02), 0.1)


def photograph(canvas: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """What a camera makes of the canvas: blur, contrast, brightness, grain, 8 bits."""
    uniform = generator.uniform
    blur = uniform(0.0, 0.6) * SUPERSAMPLING * size / 48
    image = shrink(ndimage.gaussian_filter(canvas, blur), size)
    # The camera exposes dark scenes longer, though not to the same grey.
    image = image * (0.5 / image.mean()) ** 0.6
    image = 0.5 + (image - 0.5) * uniform(0.75, 1.15) + uniform(-0.08, 0.08)
    image = image + generator.normal(0, uniform(0.005, 0.03), image.shape)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def shrink(canvas: np.ndarray, size: int) -> np.ndarray:
    """Means of SUPERSAMPLING x SUPERSAMPLING pixels over the last two axes."""
    return canvas.reshape(*canvas.shape[:-2], size, SUPERSAMPLING, size, SUPERSAMPLING).mean((-3, -1))
