"""The seven expressions of the drawn faces: how far each feature moves from its rest.

What the features do in each expression follows P. Ekman, W. V. Friesen and J. C. Hager, Facial Action Coding System:
The Manual (2002); its action units are named where they are used, as AU4 for the lowered brow.
"""

from typing import NamedTuple

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class Expression(NamedTuple):
    """How far each feature is from rest: in face units, upwards or outwards positive, or as a share from 0 to 1."""

    brow_inner: float = 0.0  # AU1
    brow_middle: float = 0.0
    brow_outer: float = 0.0  # AU2
    brows_together: float = 0.0  # AU4
    frown_lines: float = 0.0  # upright lines between the brows
    forehead_lines: float = 0.0
    upper_lid: float = 0.0  # AU5 where positive
    lower_lid: float = 0.0  # downwards; AU7 and AU6 where negative
    lid_slant: float = 0.0  # positive where the upper lid falls towards the nose
    eye_lines: float = 0.0  # creases of a squeezed or smiling eye
    nose_wrinkle: float = 0.0  # AU9
    cheek: float = 0.0  # AU6
    fold: float = 0.0  # the line from nose to mouth corner
    mouth_width: float = 0.0  # AU20 where positive, AU18 where negative
    mouth_corner: float = 0.0  # AU12 where positive, AU15 where negative
    mouth_height: float = 0.0
    gap: float = 0.0  # between the lips: AU25, AU26
    squareness: float = 0.0  # of the open mouth
    upper_teeth: float = 0.0  # share of the gap
    lower_teeth: float = 0.0
    upper_lip: float = 0.0  # AU10
    sneer: float = 0.0  # AU10 on one side only
    pressed: float = 0.0  # AU24
    jaw: float = 0.0  # AU26, AU27
    chin: float = 0.0  # AU17
    tongue: float = 0.0  # AU19
    tear: float = 0.0


# Two ways to show each expression at full strength; a face shows a mixture of them.
EXTREMES = {
    "angry": (
        Expression(
            brow_inner=-0.17, brow_middle=-0.08, brow_outer=0.05, brows_together=0.09, frown_lines=1.0,
            upper_lid=-0.02, lower_lid=-0.025, lid_slant=0.75, nose_wrinkle=0.15, fold=0.25, mouth_width=-0.04,
            mouth_corner=-0.06, pressed=0.9, chin=0.7,
        ),
        Expression(
            brow_inner=-0.17, brow_middle=-0.07, brow_outer=0.07, brows_together=0.09, frown_lines=1.0, upper_lid=0.0,
            lower_lid=-0.02, lid_slant=0.75, nose_wrinkle=0.25, fold=0.5, mouth_width=0.03, mouth_corner=-0.05,
            gap=0.24, squareness=1.0, upper_teeth=0.46, lower_teeth=0.46, jaw=0.02,
        ),
    ),
    "disgust": (
        Expression(
            brow_inner=-0.09, brow_middle=-0.09, brow_outer=-0.05, brows_together=0.04, frown_lines=0.2,
            upper_lid=-0.065, lower_lid=-0.05, lid_slant=0.1, eye_lines=1.0, nose_wrinkle=1.0, cheek=0.6, fold=1.0,
            mouth_width=0.0, mouth_corner=-0.06, mouth_height=0.02, gap=0.14, squareness=0.4, upper_teeth=0.6,
            upper_lip=0.1, sneer=0.9, chin=0.4,
        ),
        Expression(
            brow_inner=-0.08, brow_middle=-0.07, brow_outer=-0.05, brows_together=0.04, frown_lines=0.2,
            upper_lid=-0.075, lower_lid=-0.05, lid_slant=0.0, eye_lines=1.0, nose_wrinkle=1.0, cheek=0.5, fold=1.0,
            mouth_width=-0.01, mouth_corner=-0.08, mouth_height=0.03, gap=0.17, squareness=0.2, upper_lip=0.06,
            sneer=0.4, tongue=1.0, jaw=0.02,
        ),
    ),
    "fear": (
        Expression(
            brow_inner=0.19, brow_middle=0.13, brow_outer=0.04, brows_together=0.06, frown_lines=0.3,
            forehead_lines=0.8, upper_lid=0.075, lower_lid=0.01, mouth_width=0.09, mouth_corner=-0.05, gap=0.10,
            squareness=0.9, upper_teeth=0.5, lower_teeth=0.3, jaw=0.02,
        ),
        Expression(
            brow_inner=0.20, brow_middle=0.12, brow_outer=0.03, brows_together=0.06, frown_lines=0.3,
            forehead_lines=0.8, upper_lid=0.085, lower_lid=0.02, mouth_width=0.06, mouth_corner=-0.07, gap=0.17,
            squareness=0.7, upper_teeth=0.35, lower_teeth=0.25, jaw=0.04,
        ),
    ),
    "happy": (
        Expression(
            brow_middle=0.03, brow_outer=0.01, upper_lid=-0.01, lower_lid=-0.045, eye_lines=0.5, cheek=0.8, fold=0.7,
            mouth_width=0.09, mouth_corner=0.16,
        ),
        Expression(
            brow_middle=0.04, brow_outer=0.02, upper_lid=-0.015, lower_lid=-0.055, eye_lines=0.7, cheek=1.0, fold=0.8,
            mouth_width=0.12, mouth_corner=0.19, mouth_height=0.0, gap=0.3, upper_teeth=0.6, jaw=0.03,
        ),
    ),
    "sad": (
        Expression(
            brow_inner=0.14, brow_middle=0.02, brow_outer=-0.08, brows_together=0.04, frown_lines=0.2,
            forehead_lines=0.2, upper_lid=-0.035, lower_lid=0.0, lid_slant=-0.6, fold=0.25, mouth_width=-0.03,
            mouth_corner=-0.15, chin=0.8,
        ),
        Expression(
            brow_inner=0.15, brow_middle=0.02, brow_outer=-0.08, brows_together=0.05, frown_lines=0.3,
            forehead_lines=0.3, upper_lid=-0.05, lower_lid=-0.01, lid_slant=-0.6, fold=0.4, mouth_width=0.0,
            mouth_corner=-0.17, gap=0.05, chin=0.6, tear=1.0,
        ),
    ),
    "surprise": (
        Expression(
            brow_inner=0.12, brow_middle=0.22, brow_outer=0.12, forehead_lines=0.7, upper_lid=0.075, lower_lid=0.03,
            mouth_width=-0.12, mouth_height=-0.04, gap=0.26, upper_teeth=0.0, jaw=0.08,
        ),
        Expression(
            brow_inner=0.13, brow_middle=0.24, brow_outer=0.13, forehead_lines=0.8, upper_lid=0.085, lower_lid=0.04,
            mouth_width=-0.08, mouth_height=-0.06, gap=0.40, upper_teeth=0.12, jaw=0.14,
        ),
    ),
    "neutral": (Expression(), Expression()),
}  # fmt: skip
