"""`dig2dig fuse` end to end, with the embedded prior on small images."""

import json

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.synthetic.street import StreetScene

FAST = ['--mode', 'one-pass', '--levels', '1', '--draws', '1', '--device', 'cpu']


@pytest.fixture
def pair(tmp_path, scene):
    """An infrared PNG and a visible JPEG, in folders of their own."""
    for name in ('infrared', 'visible'):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / 'infrared/a.png'), scene[0])
    cv2.imwrite(str(tmp_path / 'visible/a.jpg'), scene[1])
    return tmp_path


def fuse(folder, *options, infrared='infrared', visible='visible', output='out'):
    return main(['fuse', '--infrared', str(folder / infrared), '--visible', str(folder / visible),
                 '--output', str(folder / output), *FAST, *options])


def test_two_files_give_one_picture_and_its_weights(pair):
    code = fuse(pair, '--weights-dir', str(pair / 'weights'), infrared='infrared/a.png',
                visible='visible/a.jpg', output='fused.bmp')
    assert code == 0
    assert cv2.imread(str(pair / 'fused.bmp')).shape == (96, 128, 3)
    weights = [cv2.imread(str(pair / f'weights/a_{name}.png'), cv2.IMREAD_UNCHANGED)
               for name in ('infrared', 'visible')]
    assert weights[0].dtype == np.uint16
    assert np.abs(weights[0].astype(int) + weights[1] - 65535).max() <= 1
    assert cv2.imread(str(pair / 'weights/a_overlay.png')).shape == (96, 128, 3)


def test_folders_go_on_past_a_bad_pair_and_say_so(pair, capsys):
    for name in ('infrared', 'visible'):
        (pair / name / 'broken.png').write_bytes(b'no image')
    cv2.imwrite(str(pair / 'infrared/lonely.png'), np.zeros((8, 8), np.uint8))
    assert fuse(pair, '--json', str(pair / 'report.json')) == 1
    report = json.loads((pair / 'report.json').read_text())
    assert [entry['stem'] for entry in report['fused']] == ['a']
    assert (pair / 'out/a.png').is_file()
    assert {entry['stem'] for entry in report['failed']} == {'broken', 'lonely'}
    errors = capsys.readouterr().err
    assert 'lonely: not in every source folder' in errors
    assert 'broken.png: not an image' in errors


def test_a_folder_of_a_knocked_rig_is_told(tmp_path, capsys):
    """Eight pairs, infrared 12 px to the side; of a single pair nothing is known."""
    scene, away = StreetScene(160, 128, seed=3), np.array([[1.0, 0, 10], [0, 1, 6.6]])
    for name in ('infrared', 'visible'):
        (tmp_path / name).mkdir()
    for index in range(8):
        moment = scene.render(1.3 * index, index)
        infrared = cv2.warpAffine(moment.infrared, away, (160, 128),
                                  borderMode=cv2.BORDER_REFLECT)
        cv2.imwrite(str(tmp_path / f'infrared/{index}.png'), infrared)
        cv2.imwrite(str(tmp_path / f'visible/{index}.png'), moment.visible)
    assert fuse(tmp_path) == 0
    assert 'infrared lies 12.' in capsys.readouterr().err
    assert fuse(tmp_path, infrared='infrared/0.png', visible='visible/0.png') == 0
    assert 'infrared lies' not in capsys.readouterr().err


def test_three_sources_of_one_size(pair, scene, capsys):
    cv2.imwrite(str(pair / 'c.tif'), scene[1][::-1])
    command = ['fuse', '--sources', str(pair / 'infrared/a.png'), str(pair / 'visible/a.jpg'),
               str(pair / 'c.tif'), '--output', str(pair / 'fused.png'), *FAST]
    assert main(command) == 0
    assert cv2.imread(str(pair / 'fused.png')).shape == (96, 128, 3)
    cv2.imwrite(str(pair / 'c.tif'), scene[1][::2, ::2])
    assert main(command) == 2
    assert 'all must have one size' in capsys.readouterr().err


def test_raw_16_bit_thermal_is_stretched_not_truncated(pair, scene):
    raw = scene[0].astype(np.uint16) * 8 + 29000
    cv2.imwrite(str(pair / 'infrared/a.png'), raw)
    # So wide a blob belongs to the base, which is infrared's own here.
    assert fuse(pair, '--reference', 'infrared') == 0
    fused = cv2.imread(str(pair / 'out/a.png'), cv2.IMREAD_GRAYSCALE)
    blob, dark = fused[60, 40].astype(int), fused[20, 40].astype(int)
    assert blob - dark > 60


@pytest.mark.parametrize(('options', 'complaint'), [
    (['--steps', '0'], 'steps is 0'),
    (['--steps', '5', '--interval', '6'], 'interval is 6'),
    (['--device', 'tpu'], "device is 'tpu'"),
    (['--checkpoint', 'nowhere.pt'], 'nowhere.pt'),
    (['--source', 'camera_info'], 'images do not come with'),
])
def test_bad_options_exit_2_with_one_line(pair, capsys, options, complaint):
    assert fuse(pair, *options) == 2
    error = capsys.readouterr().err.strip()
    assert complaint in error
    assert len(error.splitlines()) == 1


def test_bad_inputs_exit_2_with_one_line(pair, tmp_path, capsys):
    (pair / 'text.png').write_text('no image')
    (pair / 'empty').mkdir()
    cases = [
        ({'infrared': 'nowhere'}, 'nowhere: no such file or folder'),
        ({'infrared': 'empty'}, 'empty: holds no images'),
        ({'infrared': 'infrared/a.png'}, 'mix files and folders'),
        ({'infrared': 'text.png', 'visible': 'visible/a.jpg'}, 'text.png: not an image'),
        ({'output': 'out.png'}, 'must be a folder'),
        ({'infrared': 'infrared/a.png', 'visible': 'visible/a.jpg', 'output': 'y.gif'},
         'unknown image format .gif'),
    ]
    for arguments, complaint in cases:
        code = fuse(pair, **arguments)
        error = capsys.readouterr().err.strip()
        assert code == 2, arguments
        assert complaint in error
        assert len(error.splitlines()) == 1


@pytest.mark.parametrize(('arguments', 'line'), [
    (['fuse'], 'dig2dig fuse: error: the following arguments are required: --output; '
               'see dig2dig fuse --help\n'),
    (['fuse', '--steps', 'many', '--output', 'x'],
     "dig2dig fuse: error: argument --steps: invalid int value: 'many'; "
     'see dig2dig fuse --help\n')])
def test_usage_errors_exit_2_with_one_line(capsys, arguments, line):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert capsys.readouterr().err == line


def test_an_unknown_command_exits_2_with_one_line(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(['fly'])
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dig2dig: error: argument COMMAND: invalid choice: 'fly'")


@pytest.mark.parametrize('option', ['--json', '--report', '--weights-dir'])
def test_places_that_cannot_be_written_are_refused_before_the_work(pair, capsys, option):
    (pair / 'file').write_text('')
    place = pair / 'file' if option == '--weights-dir' else pair / 'file/below'
    with pytest.raises(SystemExit) as exit_:
        fuse(pair, option, str(place))
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f'argument {option}: {pair}/file is a file' in line
    assert not (pair / 'out').exists()


def test_sources_and_infrared_do_not_mix(pair, capsys):
    assert fuse(pair, '--sources', 'a', 'b') == 2
    assert 'not both' in capsys.readouterr().err
