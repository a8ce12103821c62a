#!/bin/sh
# Make a virtual environment from the lock: sh tools/setup_env.sh .venv requirements.lock
# Needs a Python 3.11 to 3.13 and the package registry. uv is used where it is installed, and fetched into the
# environment otherwise, because it unpacks torch in half a minute.
set -eu
venv=$1
lock=$2
start=$(date +%s)

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }
python=
for candidate in python3 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null 2>&1 && usable "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: no Python 3.11, 3.12 or 3.13 found: install one and run make again" >&2
    exit 1
fi

echo "Setting up $venv with $("$python" --version) (about 6 GB on disk, most of it torch)"
if command -v uv >/dev/null 2>&1; then
    uv=uv
    [ -x "$venv/bin/python" ] && usable "$venv/bin/python" || uv venv -q --clear --python "$(command -v "$python")" "$venv"
else
    if ! { [ -x "$venv/bin/python" ] && usable "$venv/bin/python"; }; then
        "$python" -m venv "$venv" || {
            echo "error: this Python cannot make virtual environments: on Debian or Ubuntu, apt install python3-venv" >&2
            exit 1
        }
    fi
    "$venv/bin/python" -m pip install -q uv
    uv="$venv/bin/uv"
fi
"$uv" pip install -q --python "$venv/bin/python" -r "$lock"
# The package itself, as it lies here: `import hw9` then works in any folder.
"$uv" pip install -q --python "$venv/bin/python" --no-deps -e "$(dirname "$lock")"
echo "Set up in $(($(date +%s) - start)) s"
