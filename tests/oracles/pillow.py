"""One image at a time with Pillow, as augmentation pipelines usually do."""

import numpy as np
from PIL import Image, ImageOps


def operate(image: Image.Image, name: str, strength: float, sign: float) -> np.ndarray:
    width, height = image.size

    def affine(a, b, c, d, e, f):
        return image.transform(
            image.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
        )

    match name:
        case "autocontrast":
            result = ImageOps.autocontrast(image)
        case "equalize":
            result = ImageOps.equalize(image)
        case "posterize":
            result = ImageOps.posterize(image, 4 - int(0.4 * strength))
        case "solarize":
            result = ImageOps.solarize(image, 256 - int(25.6 * strength))
        case "rotate":
            result = image.rotate(sign * int(3 * strength), resample=Image.Resampling.BILINEAR)
        case "shear_x":
            result = affine(1, sign * 0.03 * strength, 0, 0, 1, 0)
        case "shear_y":
            result = affine(1, 0, 0, sign * 0.03 * strength, 1, 0)
        case "translate_x":
            result = affine(1, 0, sign * int(strength * width / 30), 0, 1, 0)
        case "translate_y":
            result = affine(1, 0, 0, 0, 1, sign * int(strength * height / 30))
    return np.asarray(result)
