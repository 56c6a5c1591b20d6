"""Fusion metrics on images whose values are known by hand."""

import math

import numpy as np
import pytest

from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.metrics import AGAINST_SOURCES, LOWER_IS_BETTER, NO_REFERENCE, measure

HEIGHT, WIDTH = 48, 64
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


def grey(values):
    return np.broadcast_to(np.rint(values), (HEIGHT, WIDTH)).astype(np.uint8)


WAVES = grey(127.5 + 60 * np.sin(COLUMNS / 7) + 50 * np.cos((COLUMNS + 2 * ROWS) / 11))
RAMP = grey(2 * COLUMNS)


def test_the_names_are_those_of_the_contract():
    assert set(measure(WAVES, [WAVES, RAMP])) == set(
        ['PSNR', 'SSIM', 'MSE', 'CC', 'Nabf', 'Qabf', 'VIF', 'SCD', 'EN', 'SD', 'SF', 'AG', 'EI',
         'MI'])
    assert LOWER_IS_BETTER & (AGAINST_SOURCES.keys() | NO_REFERENCE.keys()) == {'MSE', 'Nabf'}


@pytest.mark.parametrize('count', [1, 2, 3])
def test_identity(count):
    scores = measure(WAVES, [WAVES] * count)
    assert scores['MSE'] == 0
    assert scores['PSNR'] == math.inf
    assert scores['SSIM'] == pytest.approx(count)
    assert scores['VIF'] == pytest.approx(count)
    assert scores['CC'] == pytest.approx(1)
    assert scores['Nabf'] == 0
    assert scores['MI'] == pytest.approx(count * scores['EN'] * math.log(2))
    # The sigmoids of Xydeas and Petrovic end a little below 1.
    highest = 0.9994 / (1 + math.exp(-15 * 0.5)) * 0.9879 / (1 + math.exp(-22 * 0.2))
    assert scores['Qabf'] == pytest.approx(highest)


def test_psnr_is_the_sum_and_mse_the_mean_over_the_sources():
    scores = measure(grey(100), [grey(103), grey(96)])
    assert scores['MSE'] == pytest.approx((9 + 16) / 2)
    assert scores['PSNR'] == pytest.approx(
        10 * math.log10(255 ** 2 / 9) + 10 * math.log10(255 ** 2 / 16))


def test_constant_images_give_numbers():
    scores = measure(grey(100), [grey(100), grey(50)])
    assert [scores[name] for name in ('EN', 'SD', 'SF', 'AG', 'EI')] == [0] * 5
    assert [scores[name] for name in ('CC', 'SCD', 'MI', 'Nabf')] == [0] * 4
    assert scores['VIF'] == 2  # Nothing was there to be lost.
    # SSIM of constants is its luminance term; C1 = (0.01 * 255)^2.
    c1 = 2.55 ** 2
    assert scores['SSIM'] == pytest.approx(
        1 + (2 * 100 * 50 + c1) / (100 ** 2 + 50 ** 2 + c1))


def test_entropy_and_deviation_of_four_equal_levels():
    scores = measure(grey(40 * (COLUMNS // 16)), [RAMP])
    assert scores['EN'] == pytest.approx(2)
    assert scores['SD'] == pytest.approx(40 * math.sqrt(1.25))


def test_spatial_frequency_of_stripes():
    assert measure(grey(10 * (COLUMNS % 2)), [RAMP])['SF'] == pytest.approx(10)
    assert measure(grey(10 * ((COLUMNS + ROWS) % 2)), [RAMP])['SF'] == pytest.approx(
        math.hypot(10, 10))


def test_gradients_of_a_ramp():
    scores = measure(RAMP, [WAVES])
    assert scores['AG'] == pytest.approx(2 / math.sqrt(2))
    # Sobel answers 8 times the slope, half of that in the two replicated border columns.
    assert scores['EI'] == pytest.approx((16 * (WIDTH - 2) + 8 * 2) / WIDTH)


def test_scd_of_a_sum_of_sources_is_2():
    infrared, visible = grey(COLUMNS), grey(3 * (ROWS % 17))
    assert measure(infrared + visible, [infrared, visible])['SCD'] == pytest.approx(2)
    three = [infrared, visible, grey(40)]
    assert measure(infrared + visible, three)['SCD'] < 2


def test_mutual_information_of_halves():
    left, top = grey(200 * (COLUMNS < WIDTH // 2)), grey(90 * (ROWS < HEIGHT // 2))
    scores = measure(left, [top, 255 - left])
    assert scores['MI'] == pytest.approx(math.log(2))  # 0 of the first, 1 bit of the second.


@pytest.mark.parametrize(('distorted', 'expected'), [
    # Float64 figures of torchmetrics 1.9 for these pictures.
    (lambda image, noise: np.clip(image + noise, 0, 255), 0.4473135572216352),
    (lambda image, noise: 255 - image, 0.0),
    (lambda image, noise: np.rint(image * 0.5 + 40), 0.7570170719303467),
])
def test_vif_is_that_of_torchmetrics(distorted, expected):
    y, x = np.mgrid[:96, :128]
    image = np.rint(127.5 + 60 * np.sin(x / 7) + 50 * np.cos((x + 2 * y) / 11)).astype(np.uint8)
    noise = (37 * x + 91 * y) % 41 - 20
    score = measure(distorted(image.astype(float), noise).astype(np.uint8), [image])['VIF']
    assert score == pytest.approx(expected, abs=1e-9)


def test_nabf_of_one_made_up_edge():
    fused = grey(100 * (COLUMNS >= WIDTH // 2))
    scores = measure(fused, [grey(10), grey(200)])
    # Two columns have an edge that no source has; what is kept there is the foot of the sigmoids.
    kept = math.sqrt(0.9999 / (1 + math.exp(9.5)) * 0.9995 / (1 + math.exp(11)))
    assert scores['Nabf'] == pytest.approx(2 / WIDTH * (1 - kept))


def test_lost_edges_are_no_artifacts():
    scores = measure(grey(0), [WAVES, RAMP])
    assert scores['Nabf'] == 0
    assert scores['Qabf'] < 0.001


def test_turned_edges_are_not_preserved():
    # Beyond the image is black, as in the public evaluators: its border counts as an edge.
    assert measure(grey(2 * ROWS), [grey(2 * COLUMNS)])['Qabf'] < 0.25
    assert measure(grey(2 * COLUMNS), [grey(2 * COLUMNS)])['Qabf'] > 0.95


def test_noise_lowers_fidelity_and_raises_artifacts_and_detail():
    noise = (37 * COLUMNS + 91 * ROWS) % 41 - 20
    clean = measure(WAVES, [WAVES, RAMP])
    noisy = measure(grey((WAVES + noise).clip(0, 255)), [WAVES, RAMP])
    for name in ('PSNR', 'SSIM', 'CC', 'Qabf', 'VIF', 'MI'):
        assert noisy[name] < clean[name]
    for name in ('MSE', 'Nabf', 'SF', 'AG', 'EI'):
        assert noisy[name] > clean[name]


def test_colour_is_measured_by_its_rounded_bt601_luminance():
    blue, green, red = 200, 60, 120
    colour = np.broadcast_to(np.uint8([blue, green, red]), (HEIGHT, WIDTH, 3))
    y = round(0.114 * blue + 0.587 * green + 0.299 * red)
    assert measure(colour, [grey(y), grey(y)])['MSE'] == 0


@pytest.mark.parametrize(('fused', 'sources', 'complaint'), [
    (WAVES, [], 'no sources'),
    (WAVES, [WAVES, WAVES[:, :-1]], 'source 2 is 63x48 pixels and the fused image 64x48'),
    (WAVES.astype(np.uint16), [WAVES], 'uint16'),
    (WAVES[:40], [WAVES[:40]], '64x40 pixels; to be measured, both sides must be 41'),
    (np.zeros((50, 50, 2), np.uint8), [WAVES], r'\(50, 50, 2\)'),
])
def test_wrong_images_are_refused_by_name(fused, sources, complaint):
    with pytest.raises(InputError, match=complaint):
        measure(fused, sources)
