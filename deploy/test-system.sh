#!/usr/bin/env bash
# Runs the tests marked `system` with the Python named first: deploy/test-system.sh PYTHON [pytest options]
#
# They need Debian packages, which are installed where this process may (root, or sudo without a password);
# no service of theirs is started. As root the tests run as an unprivileged user, on a copy of the checkout,
# its environment and the models that is removed afterwards: PostgreSQL's initdb and Chromium refuse root,
# and nobody's files need wider permissions for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${1:?usage: deploy/test-system.sh PYTHON [pytest options]}
shift
test_user=aiqyn-test
packages=(
  redis-server postgresql mosquitto chromium python3-gi
  gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
)

say() { echo "test-system: $*" >&2; }

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

as_root() { # COMMAND... : as root, or not at all
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

install_quietly() { # PACKAGE... : without starting a service (invoke-rc.d asks policy-rc.d; 101 = not allowed)
  local policy=/usr/sbin/policy-rc.d ours=
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    ours=yes
  fi
  local failed=0
  as_root apt-get update -qq || failed=1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=120 "$@" >/dev/null || failed=1
  [[ -z $ours ]] || as_root rm -f "$policy"
  return "$failed"
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} == 0 ]] && return
  if command -v apt-get >/dev/null && as_root true 2>/dev/null; then
    say "installing ${missing[*]}"
    install_quietly "${missing[@]}" || say "apt-get did not install all of them"
    mapfile -t missing < <(missing_packages)
  fi
  [[ ${#missing[@]} == 0 ]] || say "missing, so the tests that need them cannot run: ${missing[*]}"
}

copy_tree() { # FROM TO [tar option...] : what is in FROM, into the new folder TO
  local from=$1 to=$2
  shift 2
  mkdir -p "$to"
  tar -C "$from" "$@" -cf - . | tar -C "$to" --no-same-owner -xf -
}

run_here() {
  exec "$python" -m pytest -m system "$@"
}

run_as_test_user() {
  if ! id "$test_user" >/dev/null 2>&1; then
    useradd --system --no-create-home --shell /usr/sbin/nologin "$test_user"
  fi
  local place
  place=$(mktemp -d --tmpdir aiqyn-system.XXXXXX)
  # shellcheck disable=SC2064  # the folder's name is wanted now
  trap "rm -rf -- '$place'" EXIT

  local weights environment base
  weights=$("$python" -c 'from pipelines.config import load_config; print(load_config(None).paths.weights_dir)')
  environment=$("$python" -c 'import sys; print(sys.prefix)')
  base=$("$python" -c 'import sys; print(sys.base_prefix)')

  say "copying the checkout, its environment and the models to $place"
  copy_tree . "$place/checkout" --exclude=./.git --exclude=./.venv --exclude='./.*_cache' --exclude=./out
  copy_tree "$environment" "$place/venv"
  if [[ -d $weights ]]; then copy_tree "$weights" "$place/weights"; fi
  mkdir -p "$place/home" "$place/tmp"
  chown -R "$test_user:" "$place"

  if ! as_test_user "$place" "$base/bin/python3" -c '' 2>/dev/null; then # e.g. a Python inside root's own home
    copy_tree "$base" "$place/python" --exclude=./lib/python3.*/site-packages --exclude=./lib/python3.*/test
    chown -R "$test_user:" "$place/python"
    local program
    for program in "$place"/venv/bin/python*; do
      [[ ! -L $program || $(readlink "$program") != /* ]] ||
        ln -sfn "$place/python/bin/$(basename "$(readlink -f "$program")")" "$program"
    done
    sed -i "s|^home = .*|home = $place/python/bin|" "$place/venv/pyvenv.cfg"
  fi
  if [[ -n ${AIQYN_EVAL_DATA:-} ]] && ! as_test_user "$place" test -r "$AIQYN_EVAL_DATA" -a -x "$AIQYN_EVAL_DATA"; then
    copy_tree "$AIQYN_EVAL_DATA" "$place/evaluation-data"
    chown -R "$test_user:" "$place/evaluation-data"
    export AIQYN_EVAL_DATA=$place/evaluation-data
  fi

  # Points the environment's editable install, and its `aiqyn` command, at the copy.
  as_test_user "$place" "$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index \
    --no-deps --no-build-isolation --editable "$place/checkout"
  local status=0
  as_test_user "$place" "$place/venv/bin/python" -m pytest -m system -p no:cacheprovider "${@}" || status=$?
  return "$status"
}

as_test_user() { # PLACE COMMAND... : nothing of root's own folders is in its environment
  local place=$1
  shift
  (
    cd "$place/checkout"
    exec runuser -u "$test_user" -- env \
      HOME="$place/home" TMPDIR="$place/tmp" XDG_CACHE_HOME="$place/home/.cache" \
      XDG_DATA_HOME="$place/home/.local/share" XDG_RUNTIME_DIR="$place/tmp" \
      AIQYN_WEIGHTS_DIR="$place/weights" LD_LIBRARY_PATH="$place/python/lib" \
      PATH="$place/venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin" PYTHONDONTWRITEBYTECODE=1 "$@"
  )
}

install_packages
if [[ $(id -u) == 0 ]]; then run_as_test_user "$@"; else run_here "$@"; fi
