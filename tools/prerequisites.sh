#!/bin/sh
# Say in one line what is missing and how to get it; with --python print the interpreter to use.
set -u

missing() {
    echo "missing: $1" >&2
    exit 1
}

python_of_venv() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

node_is_new_enough() {
    node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);
    ' 2>/dev/null
}

python=$(python_of_venv)
[ -n "$python" ] || missing "Python >= 3.11 (apt-get install python3 python3-venv, or PYTHON=...)"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    missing "the venv module of $python (apt-get install python3-venv)"
if [ "${1:-}" = "--python" ]; then
    echo "$python"
    exit 0
fi
command -v cargo >/dev/null || missing "cargo, Rust >= 1.89 (https://rustup.rs)"
command -v cc >/dev/null || missing "a C compiler (apt-get install build-essential)"
command -v git >/dev/null || missing "git (apt-get install git)"
node_is_new_enough || missing "Node >= 20.19 (https://nodejs.org/en/download)"
command -v npm >/dev/null || missing "npm (it comes with Node: https://nodejs.org/en/download)"
