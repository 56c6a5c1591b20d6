"""Calibrations as the YAML files of ROS's camera_calibration and camera_info_manager."""

from dig2dig_ros.alignment.rig import Camera


def camera_info_yaml(name: str, camera: Camera) -> str:
    """Write a monocular camera in the layout of camera_calibration_parsers.

    :param name: of the camera, `camera_name`.
    """
    columns = [*camera.matrix.ravel()]
    projection = [*columns[:3], 0.0, *columns[3:6], 0.0, *columns[6:9], 0.0]
    identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    lines = [f'image_width: {camera.size[0]}', f'image_height: {camera.size[1]}',
             f'camera_name: {name}', *_matrix('camera_matrix', 3, 3, columns),
             f'distortion_model: {camera.model}',
             *_matrix('distortion_coefficients', 1, len(camera.distortion), camera.distortion),
             *_matrix('rectification_matrix', 3, 3, identity),
             *_matrix('projection_matrix', 3, 4, projection)]
    return '\n'.join(lines) + '\n'


def _matrix(name: str, rows: int, columns: int, values) -> list[str]:
    data = ', '.join(f'{value:.10g}' if value % 1 else f'{value:.1f}' for value in values)
    return [f'{name}:', f'  rows: {rows}', f'  cols: {columns}', f'  data: [{data}]']
