"""The launch file under the real ros2 launch; skipped where that is not installed."""

import shutil
import signal
import subprocess

import pytest
from ament_index_python import packages as ament_index
from launch_stand_in import Launched
from live import bench
from sensor_msgs.msg import CameraInfo


@pytest.fixture(scope='module')
def launch():
    """The command that launches; `colcon build` and its setup.bash come first."""
    ros2 = shutil.which('ros2')
    if ros2 is None:
        pytest.skip('the ros2 command is not installed; source a ROS 2 installation')
    try:
        ament_index.get_package_share_directory('dig2dig')
    except ament_index.PackageNotFoundError:
        pytest.skip('dig2dig is not built and sourced (colcon build; source install/setup.bash)')
    return [ros2, 'launch', 'dig2dig', 'fusion.launch.py']


def test_every_argument_is_described(launch):
    shown = subprocess.run([*launch, '--show-args'], capture_output=True, text=True,
                           check=True).stdout
    for name in Launched().arguments:
        assert f"'{name}':" in shown
    assert 'no description given' not in shown


def test_synthetic_fusion_runs_and_ends_cleanly(launch, tmp_path):
    with bench(tmp_path, namespace='/robot') as live:
        process = live.start(*launch, 'synthetic:=true', 'namespace:=robot', 'device:=cpu')
        live.listen('fused/image')
        live.listen('fused/camera_info', message_type=CameraInfo)
        live.spin_until(lambda: all(live.heard.values()), 'the fused image')
        fused, info = live.heard['fused/image'][0], live.heard['fused/camera_info'][0]
        assert (fused.width, fused.height, fused.encoding) == (640, 512, 'bgr8')
        assert (info.width, info.height) == (640, 512)
        assert fused.header.frame_id == 'visible_camera_optical_frame'
        assert process.end(signal.SIGINT) == 0
        assert 'Traceback' not in process.log


def test_without_autostart_the_node_waits(launch, tmp_path):
    with bench(tmp_path) as live:
        process = live.start(*launch, 'autostart:=false')
        assert live.state() == 'unconfigured'
        assert process.end(signal.SIGINT) == 0
