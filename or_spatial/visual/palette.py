"""Colours for categories, severities and relation families, as RGB in 0..255.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), which stay apart under protanopia, deuteranopia
and tritanopia. Vermilion is kept for hazards alone. Nothing is told by colour only: hazards also carry a banner and
an exclamation mark, families differ in line style, truth is always dashed.
"""

from or_spatial.scene.alerts import Severity
from or_spatial.scene.objects import Category, SceneObject
from or_spatial.scene.relations import Family

Rgb = tuple[int, int, int]

INK: Rgb = (10, 12, 16)
PAPER: Rgb = (255, 255, 255)
TRUTH: Rgb = (70, 76, 84)

CATEGORY: dict[Category, Rgb] = {
    Category.UNKNOWN: (150, 150, 150),
    Category.PERSON: (86, 180, 233),
    Category.INSTRUMENT: (240, 228, 66),
    Category.ROBOT: (204, 121, 167),
    Category.EQUIPMENT: (0, 158, 115),
    Category.FURNITURE: (196, 196, 188),
    Category.ANATOMY: (230, 159, 0),
    Category.ZONE: (0, 114, 178),
}

SEVERITY: dict[Severity, Rgb] = {
    Severity.INFO: (120, 144, 156),
    Severity.LOW: (240, 228, 66),
    Severity.MEDIUM: (230, 159, 0),
    Severity.HIGH: (213, 94, 0),
}

FAMILY: dict[Family, Rgb] = {Family.ACTION: (255, 255, 255), Family.GEOMETRIC: (170, 205, 225)}


def category_rgb(category: Category) -> Rgb:
    """Colour of a category; grey for anything unknown."""
    return CATEGORY.get(category, CATEGORY[Category.UNKNOWN])


def object_rgb(item: SceneObject) -> Rgb:
    """Colour of an object: that of its category, but the patient is never drawn like the staff."""
    return CATEGORY[Category.ANATOMY] if item.label == "patient" else category_rgb(item.category)


def unit_rgb(rgb: Rgb) -> tuple[float, float, float]:
    """The same colour with channels in 0..1, as markers and matplotlib want it."""
    r, g, b = rgb
    return (r / 255.0, g / 255.0, b / 255.0)


def luminance(rgb: Rgb) -> float:
    """Relative luminance in 0..1 (WCAG 2.1, definition of relative luminance)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in unit_rgb(rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: Rgb, b: Rgb) -> float:
    """Contrast ratio of two colours in 1..21 (WCAG 2.1); text needs 4.5."""
    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def ink_on(background: Rgb) -> Rgb:
    """Black or white text, whichever reads better on this background."""
    return max((INK, PAPER), key=lambda ink: contrast(ink, background))
