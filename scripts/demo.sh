#!/usr/bin/env bash
# Live fusion over real DDS: the node and two cameras as separate processes for 20 s, then a
# strip of pictures in out/demo/ and a table of rate, latency and drops.
#   scripts/demo.sh                rendered night street
#   scripts/demo.sh --pairs DIR    real pairs: DIR/ir and DIR/vi, or DIR/infrared and DIR/visible
#   scripts/demo.sh --bag BAG      a recorded bag, replayed with its own timing
#   scripts/demo.sh --misaligned   a rig knocked 12 px off, which the node brings back; 60 s
#   scripts/demo.sh --detector FILE.onnx    boxes on infrared, visible and fused, and what was found
#   scripts/demo.sh --help         all options
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
# Where ROS 2 is in use already, the demo neither hears nor disturbs it.
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
export ROS_DOMAIN_ID="${DIG2DIG_DEMO_DOMAIN_ID:-$((RANDOM % 90 + 10))}"
say "live fusion on ROS domain $ROS_DOMAIN_ID"
exec python -m dig2dig_ros.ros.demo "$@"
