"""Average precision, labels and noise, and `dig2dig evaluate --labels --detector --noise`."""

import json

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.detection.detections import Detections
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.detection.average_precision import average_precision
from dig2dig_ros.evaluation.detection.framing import Framing
from dig2dig_ros.evaluation.detection.labelled_sets import Row, mean_row, mean_rows
from dig2dig_ros.evaluation.detection.truth import Truth, label_names, read_truth
from dig2dig_ros.evaluation.detection.views import camera_pictures
from dig2dig_ros.evaluation.noise import CameraNoise

NAMES = ('person', 'bicycle', 'car')


def test_average_precision_by_hand():
    """Two people; found are, by score: one right, one wrong, one right at an overlap of 0.6."""
    truths = {'a': Truth(np.array([[0.1, 0.1, 0.1, 0.2], [0.5, 0.5, 0.1, 0.2]]),
                         ('person', 'person')), 'b': Truth(np.zeros((0, 4)), ())}
    sizes = {'a': (100, 100), 'b': (100, 100)}
    found = {'a': Detections.make([[10, 10, 10, 20], [50, 50, 10, 12], [0, 0, 5, 5]],
                                  [0.9, 0.5, 0.99], [0, 0, 2]),
             'b': Detections.make([[10, 10, 10, 20]], [0.7], [0])}
    scores = average_precision(truths, found, NAMES, sizes)
    # Precision is 1 up to a recall of 0.5 (51 of 101 points), 2/3 above it (50 points); from an
    # overlap of 0.65 on (7 of 10 thresholds) the last is wrong and nothing is above 0.5.
    ap50 = (51 + 50 * 2 / 3) / 101
    assert scores == {'person': {'ap50': pytest.approx(ap50),
                                 'ap': pytest.approx(0.3 * ap50 + 0.7 * 51 / 101)}}


def test_truth_of_label_files(tmp_path):
    (tmp_path / 'a.txt').write_text('0 0.5 0.5 0.2 0.4\n2 0.1 0.1 0.2 0.2  ')
    (tmp_path / 'b.txt').write_text('')
    truths, without = read_truth(tmp_path, ['a', 'b', 'c'], NAMES)
    assert without == ['c']
    assert truths['a'].names == ('person', 'car')
    assert truths['a'].boxes == pytest.approx(np.array([[0.4, 0.3, 0.2, 0.4], [0, 0, 0.2, 0.2]]))
    assert len(truths['b'].boxes) == 0


def test_objects_stay_where_they_are_in_another_framing():
    picture = np.zeros((60, 100), np.uint8)
    picture[20:30, 10:40] = 200
    picture[:5] = 50
    truth = Truth(np.array([[0.1, 20 / 60, 0.3, 10 / 60], [0, 0, 1, 5 / 60]]), ('car', 'person'))
    framing = Framing(mirrored=True, cut=(20, 5, 0, 10))
    framed, found = framing.picture(picture), framing.truth(truth, 100, 60)
    assert framed.shape == (45, 80)
    assert found.names == ('car',)  # of the person nothing is left
    x, y, width, height = (found.boxes[0] * [80, 45, 80, 45]).round(6)
    assert (x, y, width, height) == (60, 15, 20, 10)
    assert (framed[15:25, 60:80] == 200).all()
    assert framed.sum() == 200 * 20 * 10
    np.testing.assert_array_equal(Framing().picture(picture), picture)
    np.testing.assert_allclose(Framing().truth(truth, 100, 60).boxes, truth.boxes)


def test_label_names():
    assert label_names('person, car+bus') == {'person': ('person',), 'car': ('car', 'bus')}
    for text in ('', 'person,,car', 'car,bus+car', 'car,car'):
        with pytest.raises(InputError, match='different names'):
            label_names(text)


@pytest.mark.parametrize(('line', 'complaint'), [
    ('0 0.5 0.5 0.2', 'line 1: .*class x y'), ('3 0.5 0.5 0.2 0.2', 'class 3, but'),
    ('0 320 240 20 40', 'parts of the image'), ('person 0 0 0 0', 'class x y')])
def test_a_bad_label_line_is_named(tmp_path, line, complaint):
    (tmp_path / 'a.txt').write_text(line)
    with pytest.raises(InputError, match=complaint):
        read_truth(tmp_path, ['a'], NAMES)


def test_pixelwise_views():
    infrared, visible = np.full((4, 4), 101, np.uint8), np.full((4, 4, 3), 60, np.uint8)
    visible[2:] = 30, 120, 200  # luminance 0.114 * 30 + 0.587 * 120 + 0.299 * 200 = 134
    views = camera_pictures(infrared, visible)
    assert views['mean'][0, 0].tolist() == pytest.approx([80] * 3, abs=1)
    assert views['maximum'][0, 0].tolist() == pytest.approx([101] * 3, abs=1)
    assert views['mean'][3, 0].tolist() == pytest.approx([14, 104, 184], abs=2)
    assert views['maximum'][3, 0].tolist() == pytest.approx([30, 120, 200], abs=2)
    assert camera_pictures(infrared, visible[..., 0])['mean'][0, 0] == 80
    with pytest.raises(InputError, match='4x4 pixels and the visible one 3x4'):
        camera_pictures(infrared, visible[:, :3])


@pytest.mark.parametrize(('model', 'grey', 'expected'), [
    ('gaussian', 128, 20), ('gaussian', 64, 20), ('night', 128, 20),
    ('night', 64, 20 * (0.25 + 0.75 / 2) ** 0.5)])
def test_noise_has_the_stated_deviation(model, grey, expected):
    noise = CameraNoise(20, 8, model)
    flat = np.full((200, 200), grey, np.uint8), np.full((200, 200, 3), grey, np.uint8)
    infrared, visible = noise.apply('a', *flat)
    assert infrared.std() == pytest.approx(8, rel=0.02)
    assert visible.std(axis=(0, 1)) == pytest.approx([expected] * 3, rel=0.02)
    assert visible.mean() == pytest.approx(grey, abs=0.3)
    assert (noise.apply('a', *flat)[1] == visible).all()
    assert (noise.apply('b', *flat)[1] != visible).mean() > 0.9


@pytest.fixture
def folders(shared_data, tmp_path):
    """A labelled pair, halved to be quick, with its label file."""
    for view in ('ir', 'vi'):
        image = cv2.imread(str(shared_data / f'labelled/MSRS/{view}/00004N.png'),
                           cv2.IMREAD_UNCHANGED)
        (tmp_path / view).mkdir()
        cv2.imwrite(str(tmp_path / view / 'a.png'), image[::2, ::2])
    (tmp_path / 'labels').mkdir()
    text = (shared_data / 'labelled/MSRS/labels/00004N.txt').read_text()
    (tmp_path / 'labels/a.txt').write_text(text)
    return tmp_path


def evaluate(folder, data, *options):
    code = main(['evaluate', '--infrared', str(folder / 'ir'), '--visible', str(folder / 'vi'),
                 '--labels', str(folder / 'labels'), '--detector',
                 str(data / 'detector/yolox_nano.onnx'), '--json', str(folder / 'out.json'),
                 *options])
    path = folder / 'out.json'
    return code, json.loads(path.read_text()) if path.exists() else None


def test_command_scores_every_view(folders, shared_data, capsys):
    code, document = evaluate(folders, shared_data, '--fused', str(folders / 'ir'))
    assert code == 0
    found = document['detection']
    assert list(found) == ['fused', 'infrared', 'visible', 'mean', 'maximum', 'late']
    person = {view: detectors['yolox_nano.onnx']['person'] for view, detectors in found.items()}
    assert person['fused'] == person['infrared']
    assert 0.2 < person['infrared']['ap50'] <= 1
    assert person['infrared']['ap'] < person['infrared']['ap50']
    assert person['late']['ap50'] >= person['visible']['ap50']
    assert document['metrics']['mean']['SSIM'] > 0
    assert 'AP50 (AP50:95)' in capsys.readouterr().out


def test_command_fuses_itself_under_noise(folders, shared_data):
    options = ['--mode', 'one-pass', '--levels', '2', '--checkpoint', 'tiny', '--device', 'cpu']
    _, clean = evaluate(folders, shared_data, *options)
    code, noisy = evaluate(folders, shared_data, *options, '--noise', '50,8')
    assert code == 0
    assert noisy['metrics']['mean']['SSIM'] < clean['metrics']['mean']['SSIM']
    assert (noisy['detection']['visible'] != clean['detection']['visible'])
    assert evaluate(folders, shared_data, *options, '--noise', '50,8')[1] == noisy


@pytest.mark.parametrize(('options', 'complaint'), [
    (['--labels', 'x'], 'go together'), (['--noise', '5', '--fused', 'x'], 'leave --fused out'),
    (['--noise', 'much'], 'VISIBLE,INFRARED'), (['--noise=-3,2'], '0 to 255')])
def test_bad_usage_exits_2_with_one_line(tmp_path, capsys, options, complaint):
    assert main(['evaluate', '--infrared', str(tmp_path), '--visible', str(tmp_path),
                 *options]) == 2
    assert complaint in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_mean_of_the_labelled_sets():
    """Person over both sets, then with car, then over detectors; bicycles do not count."""
    def scores(person, car=None):
        return {'person': {'ap50': person, 'ap': 0}, 'bicycle': {'ap50': 1, 'ap': 0}} | (
            {} if car is None else {'car': {'ap50': car, 'ap': 0}})

    row = mean_row('late', {'MSRS': {'late': {'a': scores(0.2, 0.8), 'b': scores(0.4, 0.6)}},
                            'LLVIP_small': {'late': {'a': scores(0.4), 'b': scores(0.6)}}},
                   ['a', 'b'])
    assert row.mean == pytest.approx(((0.3 + 0.8) / 2 + (0.5 + 0.6) / 2) / 2)
    assert row.cells['b', 'LLVIP_small', 'person'] == 0.6
    assert len(row.cells) == 6


def test_the_mean_over_framings():
    cell = ('a.onnx', 'MSRS', 'car')
    rows = [{'fused': Row({cell: ap50}, ap50 / 2)} for ap50 in (0.75, 0.25)]
    assert mean_rows(rows) == {'fused': Row({cell: 0.5}, 0.25)}
