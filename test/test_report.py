"""The report page: complete, self-contained, safe against names."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.metrics import measure
from dig2dig_ros.evaluation.report import write_report


class Reader(HTMLParser):
    """Collects what a browser would load, and checks that the tags nest."""

    VOID = frozenset({'meta', 'img'})

    def __init__(self, page):
        super().__init__()
        self.loads, self.open, self.text = [], [], ''
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ('src', 'href')]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def engine(smoothing_prior):
    return FusionEngine(smoothing_prior, torch.device('cpu'), FusionSettings(
        precision='fp32', steps=2, interval=2, temperature=0.7))


def report(path, engine, *scenes):
    entries = [(stem, dict(zip(('infrared', 'visible'), images, strict=True)),
                engine.fuse(images)) for stem, images in scenes]
    write_report(path, entries, engine)
    return entries, path.read_text()


def test_page_loads_nothing_and_holds_every_picture(tmp_path, engine, scene):
    _, page = report(tmp_path / 'new/report.html', engine, ('a', scene), ('b', scene))
    reader = Reader(page)
    assert reader.open == []
    # Of each scene: two sources, fused, two weight maps, overlay.
    assert len(reader.loads) == 12
    assert all(load.startswith('data:image/jpeg;base64,') for load in reader.loads)
    assert not re.search(r'https?://', page)
    encoded = np.frombuffer(base64.b64decode(reader.loads[0].partition(',')[2]), np.uint8)
    infrared = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE).astype(float)
    assert np.abs(infrared - scene[0]).mean() < 2


def test_page_says_metrics_settings_and_time(tmp_path, engine, scene):
    entries, page = report(tmp_path / 'report.html', engine, ('a', scene))
    text = Reader(page).text
    scores = measure(entries[0][2].image, scene)
    assert f'{scores["SSIM"]:.3f}' in text
    assert f'{scores["PSNR"]:.2f}' in text
    assert 'temperature 0.7' in text
    assert 'guidance' not in text  # Not changed from its default.
    assert f'{entries[0][2].timing.network_calls} images through' in text
    assert page.count('class="curve"') == 2


def test_names_cannot_break_the_page(tmp_path, engine, scene):
    name = '<script>alert(1)</script>&"'
    _, page = report(tmp_path / 'report.html', engine, (name, scene))
    assert '<script>alert' not in page
    assert name in Reader(page).text


def test_pictures_too_small_for_the_metrics_are_still_shown(tmp_path, engine, scene):
    small = [image[:24, :32] for image in scene]
    _, page = report(tmp_path / 'report.html', engine, ('a', small))
    assert 'Too small to be measured' in page
    assert len(Reader(page).loads) == 6


def test_a_place_that_cannot_be_written_is_named(tmp_path, engine, scene):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='file: cannot make this folder'):
        report(tmp_path / 'file/report.html', engine, ('a', scene))
