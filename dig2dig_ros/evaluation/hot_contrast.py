"""How much of a hot target's contrast a fused image keeps: what a person sees stand out."""

import cv2
import numpy as np

# A region is hot where it exceeds its surround (a Gaussian of a sixteenth of the height) by so
# many grey levels and deviations; it counts from 100 pixels to a twentieth of the image.
LEAST_EXCESS, EXCESS_DEVIATIONS = 20, 1.5
SURROUND = 1 / 16
FEWEST_PIXELS, GREATEST_SHARE = 100, 1 / 20
# Pixels around a region that are its surround: a ring of 7, without those next to anything hot.
RING, GAP = 15, 3
FEWEST_RING_PIXELS = 20


def hot_contrasts(fused: np.ndarray, infrared: np.ndarray, visible: np.ndarray) -> list[float]:
    """Contrast of each hot region in the fused image, relative to the camera that has more of it.

    Contrast is the mean of the region less the mean of the ring around it. A region that is dark
    in the visible image by more than it is bright in infrared counts by that.

    :param fused: luminance, H x W, 0..255; so are `infrared` and `visible`.
    :returns: a figure a region: 1 is all of the contrast, below 0 is inverted.
    """
    images = [image.astype(np.float32) for image in (fused, infrared, visible)]
    excess = images[1] - cv2.GaussianBlur(images[1], (0, 0), SURROUND * len(infrared))
    hot = (excess > max(LEAST_EXCESS, EXCESS_DEVIATIONS * excess.std())).astype(np.uint8)
    hot = cv2.morphologyEx(hot, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, figures, _ = cv2.connectedComponentsWithStats(hot)
    apart = cv2.dilate(hot, np.ones((GAP, GAP), np.uint8)) == 0
    found = []
    for number in range(1, count):
        if not FEWEST_PIXELS <= figures[number, cv2.CC_STAT_AREA] <= GREATEST_SHARE * hot.size:
            continue
        region = labels == number
        ring = cv2.dilate(region.astype(np.uint8), np.ones((RING, RING), np.uint8)) > 0
        ring &= apart
        if ring.sum() >= FEWEST_RING_PIXELS:
            kept, *own = (float(image[region].mean() - image[ring].mean()) for image in images)
            found.append(kept / max(own, key=abs))
    return found
