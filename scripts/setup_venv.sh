# Sourced by test.sh and demo.sh: makes or reuses the virtual environment and activates it.
# DIG2DIG_VENV chooses its place (default: .venv at the repository root), PYTHON the interpreter,
# DIG2DIG_ROS the distribution that comes from PyPI where none is sourced: jazzy or kilted.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ros="${DIG2DIG_ROS:-jazzy}"
suffix=""
[ "$ros" = jazzy ] || suffix="-$ros"
venv="${DIG2DIG_VENV:-$root/.venv$suffix}"

say() { printf '== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

make_venv() {
    local python="${PYTHON:-python3}"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
        || fail "Python 3.10 or newer is needed (set PYTHON to it; '$python' is not)"
    "$python" -c 'import ensurepip' 2>/dev/null \
        || fail "'$python' cannot make virtual environments; on Debian or Ubuntu: sudo apt install python3-venv"
    say "making a virtual environment in $venv"
    "$python" -m venv "$@" "$venv"
}

# A sourced ROS 2 brings its own rclpy and messages; without one they come from PyPI.
extras=bag,cluster,cpu,evaluation,test
if [ -n "${AMENT_PREFIX_PATH:-}" ] && [ -n "${ROS_DISTRO:-}" ]; then
    say "using the sourced ROS 2 $ROS_DISTRO"
    venv_options=(--system-site-packages)
else
    case "$ros" in jazzy|kilted) ;; *) fail "--ros is $ros; it must be jazzy or kilted" ;; esac
    say "no ROS 2 is sourced: using $ros from PyPI"
    venv_options=()
    extras="ros$suffix,$extras"
fi

[ -x "$venv/bin/python" ] || make_venv "${venv_options[@]}"

# Reinstalled only when what is asked for has changed.
wanted="$extras $(cat "$root/setup.py" "$root/constraints.txt" | cksum)"
if [ "$(cat "$venv/.dig2dig-installed" 2>/dev/null)" = "$wanted" ]; then
    say "reusing $venv"
else
    say "installing dig2dig[$extras] into $venv"
    # Most of what comes is never imported: to compile all of it takes a third of the time.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
        -e "$root[$extras]" -c "$root/constraints.txt" \
        || fail "the installation failed; the lines above say why (the PyPI ROS 2 has wheels for Linux x86-64 and Python 3.10 to 3.13; elsewhere source a ROS 2 first)"
    echo "$wanted" > "$venv/.dig2dig-installed"
fi
export PATH="$venv/bin:$PATH"
