"""`dig2dig detect-check` on a real pair."""

import json

import cv2

from dig2dig_ros.cli import main


def test_command_counts_in_each_view(shared_data, tmp_path, capsys):
    for view, image in (('ir', 'ir/00004N.png'), ('vi', 'vi/00004N.png')):
        (tmp_path / view).mkdir()
        picture = cv2.imread(str(shared_data / 'dev_pairs/MSRS' / image))
        cv2.imwrite(str(tmp_path / view / 'a.png'), picture)
    code = main(['detect-check', '--model', str(shared_data / 'detector/FastestDet.onnx'),
                 '--infrared', str(tmp_path / 'ir'), '--visible', str(tmp_path / 'vi'),
                 '--fused', f'copy={tmp_path / "ir"}', '--pictures', str(tmp_path / 'pictures'),
                 '--json', str(tmp_path / 'out.json')])
    assert code == 0
    people = json.loads((tmp_path / 'out.json').read_text())['people']
    assert people['copy'] == people['infrared']
    assert people['infrared']['mean_confidence'] > 0.7
    assert 'images with people' in capsys.readouterr().out
    assert {path.name for path in (tmp_path / 'pictures').iterdir()} == {
        'a_infrared.jpg', 'a_visible.jpg', 'a_copy.jpg'}


def test_a_fused_folder_does_not_take_the_place_of_a_source(tmp_path, capsys):
    folder = tmp_path / 'visible'
    assert main(['detect-check', '--model', 'any.onnx', '--infrared', str(tmp_path), '--visible',
                 str(tmp_path), '--fused', str(folder)]) == 2
    assert '--fused names visible, which is a source' in capsys.readouterr().err
