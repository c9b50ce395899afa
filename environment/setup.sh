#!/usr/bin/env bash
# setup.sh [train] [batch] [test] [dev]: makes, or brings up to date, the virtual environment of this
# checkout: .venv, or .venv-jazzy with ROS=jazzy.
#
# From python3 (3.10 or newer), g++ and make; no root. ROS 2 comes from the sourced distribution
# (ROS_DISTRO set) or else from wheels, and the messages that those lack are then generated from the
# folders beside this file. Each step leaves a stamp in the environment and runs again only when what it
# depends on has changed.
# PYTHON chooses the interpreter, ROS the distribution that the wheels are of.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cd "$root"
ros=${ROS:-kilted}
venv=$root/.venv
[[ $ros == kilted ]] || venv+=-$ros
ros_requirements=$here/requirements-ros-$ros.txt
python=$venv/bin/python
stamps=$venv/stamps
distribution=${ROS_DISTRO:-}
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE VIRTUAL_ENV PYTHONHOME

say() { echo "setup: $*"; }
fail() { echo "setup: error: $*" >&2; exit 1; }

# step NAME KEY WORDS COMMAND...: runs COMMAND unless it has succeeded before with the same KEY.
step() {
    local name=$1 key=$2 words=$3
    shift 3
    [[ -f $stamps/$name && $(<"$stamps/$name") == "$key" ]] && return
    say "$words"
    "$@"
    mkdir -p "$stamps"
    echo "$key" >"$stamps/$name"
}

hash_of() { cat -- "$@" | sha256sum | cut -d ' ' -f 1; }
ask() { "$python" -c "$1"; }

# --- steps ---------------------------------------------------------------------------------------

# Debian splits ensurepip and the C headers off its Python; both can be unpacked without root.
make_venv() {
    rm -rf "$venv"
    local options=()
    [[ -n $distribution ]] && options+=(--system-site-packages)
    if "$base" -c 'import ensurepip; ensurepip.version()' 2>/dev/null; then
        "$base" -m venv "${options[@]}" "$venv"
    else
        "$base" -m venv --without-pip "${options[@]}" "$venv"
        say "ensurepip is missing, taking pip from the package python3-pip-whl"
        "$here/debian_package.sh" python3-pip-whl "$venv/debian" ||
            fail "cannot make a virtual environment; install it with: sudo apt install python3-venv"
        local wheel
        wheel=$(echo "$venv"/debian/usr/share/python-wheels/pip-*.whl)
        "$python" "$wheel/pip" install -q --no-index "$wheel"
    fi
    if [[ ! -f $(ask 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]]; then
        local version
        version=$(ask 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "the C headers of Python $version are missing, taking them from libpython$version-dev"
        "$here/debian_package.sh" "libpython$version-dev" "$venv/debian" ||
            fail "no Python.h; install it with: sudo apt install python3-dev"
        cp -r "$venv/debian/usr/include/." "$venv/include/"
        cp -r "$venv/include/python$version/." "$venv/include/"
    fi
}

# Processes of the environment find the message packages and the transport profile by this file.
install_environment() {
    local packages
    packages=$(ask 'import sysconfig; print(sysconfig.get_path("purelib"))')
    cp "$here/ssap_ros_environment.py" "$packages/"
    echo 'import ssap_ros_environment' >"$packages/ssap_ros_environment.pth"
}

# The system's compiled packages (cv_bridge) fit the system's major version of numpy only.
pip_install() {
    local constraints=/dev/null
    if [[ -n $distribution ]]; then
        constraints=$venv/constraints.txt
        "$base" -c 'import numpy; print("numpy==%s.*" % numpy.__version__.split(".")[0])' >"$constraints" ||
            fail "the ROS distribution's numpy is missing; install it with: sudo apt install python3-numpy"
    fi
    "$python" -m pip install -q --disable-pip-version-check -c "$constraints" "$@" ||
        fail "pip could not install the packages (see above)"
}

python_headers() {
    ask 'import pathlib, sys, sysconfig
own = pathlib.Path(sysconfig.get_path("include"))
print(own if (own / "Python.h").exists() else pathlib.Path(sys.prefix, "include"))'
}

# The CMake files of the wheels name folders of the machine that built them.
repair_cmake_paths() {
    local headers numpy
    headers=$(python_headers)
    numpy=$(ask 'import numpy; print(numpy.get_include())')
    { grep -rlF /opt/python/ "$venv"/share/*/cmake || true; } | xargs -r sed -i -E \
        -e "s#/opt/python/[^;\"]*/numpy/_?core/include#$numpy#g" \
        -e "s#/opt/python/[^;\"/]*/include/python[0-9.]+#$headers#g"
}

check_type_hash() {
    grep -qF "\"RIHS01_$2\"" "$venv/share/vision_msgs/msg/$1.json" ||
        fail "the generated vision_msgs/$1 is not the message of vision_msgs 4.x (type hash differs)"
}

# generate_messages PACKAGE: builds and installs the message package of that folder.
generate_messages() {
    local build log
    build=$(mktemp -d)
    log=$venv/$1.log
    repair_cmake_paths
    (
        export PATH=$venv/bin:$PATH AMENT_PREFIX_PATH=$venv
        cmake -S "$here/$1" -B "$build" -G Ninja -Wno-dev -DBUILD_TESTING=OFF \
            -DCMAKE_PREFIX_PATH="$venv" -DCMAKE_INSTALL_PREFIX="$venv" \
            -DPython3_EXECUTABLE="$python" -DPython3_INCLUDE_DIR="$(python_headers)" &&
            cmake --build "$build" --target install
    ) >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "$1 could not be built (all of it: $log)"; }
    rm -rf "$build"
}

generate_vision_msgs() {
    generate_messages vision_msgs
    check_type_hash Detection2DArray 214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968
    check_type_hash LabelInfo 3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783
}

check_distribution() {
    ask 'import cv2, cv_bridge, diagnostic_msgs, lifecycle_msgs, rclpy, sensor_msgs, std_srvs, vision_msgs, visualization_msgs' ||
        fail "ROS 2 $distribution lacks a package; install them with: sudo apt install python3-opencv" \
            "ros-$distribution-{cv-bridge,vision-msgs,visualization-msgs,diagnostic-msgs,lifecycle-msgs,std-srvs}"
}

install_package() {
    local log=$venv/ssap_ros.log
    "$python" -m pip install --disable-pip-version-check --no-build-isolation --no-deps -v -e . \
        >"$log" 2>&1 || { grep -E 'error' -A 5 "$log" >&2; fail "ssap_ros could not be built (all of it: $log)"; }
}

# --- order ---------------------------------------------------------------------------------------

for group in "$@"; do
    [[ -f $here/requirements-$group.txt ]] || fail "unknown group '$group'; known: train, batch, test, dev"
done

base=$(command -v "${PYTHON:-python3}") || fail "no ${PYTHON:-python3} here; install it with: sudo apt install python3"
for tool in g++ make; do
    command -v "$tool" >/dev/null || fail "no $tool here; install it with: sudo apt install g++ make"
done
interpreter=$("$base" -c 'import sys; print(sys.version_info >= (3, 10), sys.version, sys.base_prefix)')
[[ $interpreter == True* ]] || fail "Python 3.10 or newer is needed, $base is $("$base" -V)"
[[ -f $ros_requirements ]] || fail "no wheels of ROS 2 '$ros'; known: kilted, jazzy"
[[ -z $distribution || $ros == kilted ]] ||
    fail "ROS=$ros asks for wheels, but ROS 2 $distribution is sourced; leave ROS out to use that"
[[ -n $distribution || $(uname -m) == x86_64 ]] ||
    fail "ROS 2 wheels are for x86_64 only; on $(uname -m) install a ROS 2 distribution and source it"

if command -v flock >/dev/null; then
    mkdir -p .cache
    exec 9>.cache/setup.lock
    flock 9
fi

origin=$(echo "$root" "$distribution" $interpreter)
step venv "$origin" "making ${venv##*/} with Python $("$base" -c 'import platform; print(platform.python_version())')" make_venv
step environment "$(hash_of "$here/ssap_ros_environment.py")" "setting up the ROS environment" install_environment

requirements=(-r "$here/requirements.txt")
if [[ -z $distribution ]]; then
    requirements+=(-r "$ros_requirements")
    words="installing ROS 2 ${ros^} from wheels, ONNX Runtime, OpenVINO and OpenCV (800 MB on disk, a minute or two)"
else
    words="using ROS 2 $distribution; installing ONNX Runtime, OpenVINO and what else it does not bring"
fi
step runtime "$(hash_of "$here/requirements.txt" "$ros_requirements")" "$words" \
    pip_install "${requirements[@]}"
if [[ -z $distribution ]]; then
    messages=$(hash_of "$ros_requirements" "$here"/vision_msgs/CMakeLists.txt "$here"/vision_msgs/*/*.msg)
    step vision_msgs "$messages" "generating vision_msgs (about half a minute)" generate_vision_msgs
    messages=$(hash_of "$ros_requirements" "$here"/autoware_internal_debug_msgs/CMakeLists.txt \
        "$here"/autoware_internal_debug_msgs/*/*.msg)
    step debug_msgs "$messages" "generating autoware_internal_debug_msgs (some seconds)" \
        generate_messages autoware_internal_debug_msgs
    messages=$(hash_of "$ros_requirements" "$here"/foxglove_msgs/CMakeLists.txt "$here"/foxglove_msgs/*/*.msg)
    step foxglove_msgs "$messages" "generating foxglove_msgs (about half a minute)" \
        generate_messages foxglove_msgs
else
    step distribution "$distribution" "checking ROS 2 $distribution" check_distribution
fi
for group in "$@"; do
    step "$group" "$(hash_of "$here/requirements-$group.txt")" "installing what '$group' needs" \
        pip_install "${requirements[@]}" -r "$here/requirements-$group.txt"
done
built_from=$(find ssap_ros/csrc -name '*.[ch]pp' -print0 | sort -z | xargs -0 cat setup.py setup.cfg package.xml | sha256sum)
compgen -G 'ssap_ros/_core*.so' >/dev/null || rm -f "$stamps/package"
step package "$built_from" "building the compiled core and installing ssap_ros" install_package
say "ready: ${venv##*/}/bin/ssap"
