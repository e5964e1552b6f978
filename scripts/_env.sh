# Sourced by the scripts: makes and keeps up .venv. Sets ROOT and PY; says what it does, and nothing when there is
# nothing to do.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
PY="$VENV/bin/python"
export PATH="$PATH:/usr/sbin"  # where Debian puts servers, also for those who are not root
export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"  # Ray's workers find the packages by it

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$*"; exit 1; }

python_will_do() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

# The first Python that will do; $PYTHON goes before the others.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.11 python3.12 python3.13; do
        if [ -n "$candidate" ] && python_will_do "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "expected Python 3.11, 3.12 or 3.13, got $(python3 --version 2>&1 || true)"
    die "install one of these, or name it: PYTHON=/path/to/python3.11 $0"
}

make_venv() {
    local python
    python="$(find_python)"
    say "making .venv with $("$python" --version)"
    rm -rf "$VENV"
    if ! "$python" -m venv "$VENV" >&2; then
        rm -rf "$VENV"
        die "cannot make .venv: expected Python's venv module and a writable directory (Debian: apt install python3-venv)"
    fi
}

hash_of() { "$PY" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }

# ensure_venv runtime|demo|dev: what that lock file pins is installed. Each lock holds all of the ones before it.
ensure_venv() {
    local lock="requirements-$1.lock" stamp="$VENV/.installed" wanted
    [ "$1" = runtime ] && lock="requirements.lock"
    if command -v flock >/dev/null; then  # two scripts started at once take turns
        mkdir -p "$ROOT/var" || die "expected to be allowed to write to $ROOT"
        exec 9>"$ROOT/var/venv.lock"
        flock 9
    fi
    if ! python_will_do "$PY" || [ ! -x "$VENV/bin/pip" ]; then
        make_venv
    fi
    wanted="$1 $(hash_of "$ROOT/$lock")"
    if ! grep -qsxF "$wanted" "$stamp"; then
        say "installing the packages of $lock into .venv"
        rm -f "$stamp"
        install_packages "$ROOT/$lock"
        case "$1" in
        dev) printf '%s %s\n' runtime "$(hash_of "$ROOT/requirements.lock")" demo "$(hash_of "$ROOT/requirements-demo.lock")" ;;
        demo) printf '%s %s\n' runtime "$(hash_of "$ROOT/requirements.lock")" ;;
        esac >>"$stamp"
        printf '%s\n' "$wanted" >>"$stamp"
        say "installed"
    fi
    if command -v flock >/dev/null; then
        exec 9>&-
    fi
}

# install_packages LOCK: with uv, which downloads and unpacks side by side and shows how far it is; a fifth of pip's time. Where uv
# cannot be had or does not reach the registry that pip is configured for, pip does it.
install_packages() {
    local uv="$VENV/bin/uv"
    [ -x "$uv" ] || "$PY" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$ROOT/requirements-uv.lock" || uv=
    # Compiled now, once: else each of Palio's processes compiles what it imports at its first start.
    if [ -n "$uv" ] && "$uv" pip install --python "$PY" --no-config --require-hashes --compile-bytecode -r "$1" >&2; then
        return
    fi
    say "uv did not manage, so pip installs them (this takes a few minutes)"
    "$PY" -m pip install --disable-pip-version-check --require-hashes --progress-bar on -r "$1" >&2 ||
        die "cannot install the packages of $(basename "$1") (pip's message is above)"
}

# ensure_program NAME DEBIAN_PACKAGE: a server or browser the tests use. Installed with apt where that is possible (as
# root); else a message, and in CI a failure, so that nothing is left out unnoticed.
APT_UPDATED=
ensure_program() {
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $2 with apt"
        if [ -z "$APT_UPDATED" ]; then
            apt-get update -qq >&2 || say "apt-get update failed"
            APT_UPDATED=1
        fi
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >&2 || say "apt-get failed"
        command -v "$1" >/dev/null && return
    fi
    [ "${CI:-}" = true ] && die "expected $1 to be installed (Debian: apt install $2)"
    say "$1 is missing: the tests that use it will be skipped or fail; install it (Debian: apt install $2)"
}
