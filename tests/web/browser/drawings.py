"""Drawn dogs in drawn gardens: pictures that anybody may copy, of which the shipped model has an opinion."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (960, 720)
KINDS = ("dachshund", "pug", "poodle", "garden")

_Colour = tuple[int, int, int]


def drawing(kind: str, seed: int) -> bytes:
    """Given one of KINDS and a seed, return a JPEG."""
    random = np.random.default_rng(seed)
    image = _garden(random)
    draw = ImageDraw.Draw(image)
    {"dachshund": _dachshund, "pug": _pug, "poodle": _poodle, "garden": _tree}[kind](draw, random)
    image = image.filter(ImageFilter.GaussianBlur(2))
    noise = random.normal(0, 3, (SIZE[1], SIZE[0], 3))
    pixels = (np.asarray(image, float) + noise).clip(0, 255).astype(np.uint8)
    if random.random() < 0.5:
        pixels = pixels[:, ::-1]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def _garden(random: np.random.Generator) -> Image.Image:
    width, height = SIZE
    horizon = int(height * random.uniform(0.3, 0.5))
    sky = np.array([random.uniform(130, 190), random.uniform(180, 215), random.uniform(215, 245)])
    grass = np.array([random.uniform(70, 120), random.uniform(125, 165), random.uniform(50, 80)])
    pixels = np.empty((height, width, 3))
    down = np.linspace(0, 1, height)[:, np.newaxis, np.newaxis]
    pixels[:horizon] = (sky + 40 * down[:horizon]).clip(0, 255)
    pixels[horizon:] = grass * (1.15 - 0.5 * down[horizon:])
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(3, 7)):
        x, size = int(random.integers(0, width)), int(random.integers(60, 150))
        leaf = tuple(int(value) for value in (random.uniform(30, 70), random.uniform(90, 130), random.uniform(40, 60)))
        draw.ellipse((x - size, horizon - size, x + size, horizon + size // 3), fill=leaf)
    for _ in range(900):
        x, y = int(random.integers(0, width)), int(random.integers(horizon, height))
        length = 4 + 14 * (y - horizon) / (height - horizon)
        shade = tuple(int(value) for value in grass * random.uniform(0.75, 1.15))
        draw.line((x, y, x + int(random.integers(-3, 4)), y - length), fill=shade, width=2)
    return image


def _dachshund(draw: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    brown: _Colour = (int(random.uniform(120, 165)), int(random.uniform(66, 88)), 38)
    dark = _darker(brown)
    x, y = 190, 400
    draw.line((x + 20, y + 40, x - 80, y - 40), fill=brown, width=22)
    for leg in (x + 50, x + 110, x + 400, x + 450):
        draw.rounded_rectangle((leg, y + 70, leg + 46, y + 190), 20, fill=dark if leg % 20 else brown)
        draw.ellipse((leg - 8, y + 165, leg + 62, y + 198), fill=brown)
    draw.rounded_rectangle((x, y, x + 520, y + 130), 64, fill=brown)
    draw.polygon([(x + 440, y + 60), (x + 500, y - 120), (x + 580, y - 60), (x + 520, y + 90)], fill=brown)
    draw.ellipse((x + 470, y - 170, x + 610, y - 40), fill=brown)
    draw.polygon([(x + 560, y - 140), (x + 720, y - 80), (x + 715, y - 50), (x + 560, y - 50)], fill=brown)
    draw.ellipse((x + 692, y - 98, x + 728, y - 62), fill=(25, 20, 20))
    draw.ellipse((x + 560, y - 130, x + 584, y - 106), fill=(20, 14, 10))
    draw.ellipse((x + 460, y - 150, x + 535, y + 20), fill=dark)


def _pug(draw: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    fawn: _Colour = (int(random.uniform(200, 222)), int(random.uniform(165, 180)), 128)
    black: _Colour = (38, 32, 30)
    x, y = 480, 330
    draw.ellipse((x - 190, y + 60, x + 190, y + 400), fill=_darker(fawn, 0.9))
    for paw in (-120, 60):
        draw.rounded_rectangle((x + paw, y + 250, x + paw + 70, y + 390), 34, fill=fawn)
    draw.ellipse((x - 200, y - 200, x + 200, y + 170), fill=fawn)
    for side in (-1, 1):
        draw.polygon([(x + side * 120, y - 175), (x + side * 225, y - 120), (x + side * 205, y + 5)], fill=black)
        draw.ellipse((x + side * 95 - 48, y - 58, x + side * 95 + 48, y + 38), fill=black)
        draw.ellipse((x + side * 92 - 34, y - 46, x + side * 92 + 34, y + 22), fill=(58, 34, 20))
        draw.ellipse((x + side * 92 - 4, y - 34, x + side * 92 + 12, y - 18), fill=(240, 240, 240))
    draw.ellipse((x - 120, y + 5, x + 120, y + 160), fill=black)
    draw.ellipse((x - 38, y + 10, x + 38, y + 52), fill=(12, 10, 10))
    for fold in range(3):
        draw.arc((x - 80, y - 140 + fold * 26, x + 80, y - 70 + fold * 26), 200, 340, fill=_darker(fawn), width=7)
    draw.ellipse((x - 24, y + 105, x + 24, y + 165), fill=(214, 120, 125))


def _poodle(draw: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    tone = int(random.uniform(215, 240))

    def curls(x: int, y: int, reach: int, count: int = 90) -> None:
        for _ in range(count):
            angle, far = random.uniform(0, 2 * np.pi), reach * np.sqrt(random.uniform(0, 1))
            at_x, at_y, size = x + far * np.cos(angle), y + far * np.sin(angle), random.uniform(12, 26)
            shade = int(tone - random.uniform(0, 45))
            draw.ellipse((at_x - size, at_y - size, at_x + size, at_y + size), fill=(shade, shade - 4, shade - 12))

    for leg in (330, 400, 560, 620):
        draw.rectangle((leg, 470, leg + 26, 640), fill=(tone - 30, tone - 34, tone - 42))
        curls(leg + 12, 630, 34, 30)
    curls(380, 430, 90)
    curls(560, 410, 130, 160)
    curls(250, 350, 45, 40)
    curls(640, 270, 70)
    curls(680, 150, 80)
    curls(620, 210, 45, 50)
    draw.polygon([(700, 190), (840, 215), (836, 245), (700, 250)], fill=(tone - 25, tone - 28, tone - 36))
    draw.ellipse((818, 205, 850, 236), fill=(22, 20, 20))
    draw.ellipse((722, 176, 744, 198), fill=(20, 16, 14))


def _tree(draw: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    x = int(random.uniform(250, 700))
    draw.polygon([(x - 35, 640), (x + 35, 640), (x + 22, 250), (x - 22, 250)], fill=(96, 70, 48))
    for _ in range(60):
        at_x, at_y, size = x + random.normal(0, 110), 210 + random.normal(0, 75), random.uniform(30, 60)
        green = (int(random.uniform(40, 80)), int(random.uniform(105, 150)), int(random.uniform(40, 65)))
        draw.ellipse((at_x - size, at_y - size, at_x + size, at_y + size), fill=green)
    draw.ellipse((x - 120, 540, x - 60, 600), fill=(196, 60, 48))


def _darker(colour: _Colour, share: float = 0.78) -> _Colour:
    red, green, blue = (int(value * share) for value in colour)
    return red, green, blue
