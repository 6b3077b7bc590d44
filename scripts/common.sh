# Sourced by run, test, .ci/run and the scripts beside it: where the tree is, how steps are announced, how things are built.
# shellcheck shell=bash
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

# ccache: the same result whatever folder the tree stands in.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
export CCACHE_DIR="${CCACHE_DIR:-${HOME:-$root}/.cache/ccache}"
export NINJA_STATUS="[%f/%t, %es] "

step() { printf '\n==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# One job per core, but none without 1.5 GB for itself: a sanitized translation unit of Boost takes 1 GB.
jobs_that_fit() {
  local cores memory_kb by_memory
  cores="$(nproc)"
  memory_kb="$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)"
  by_memory=$((memory_kb / 1500000))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

# build PRESET [TARGET…]: configures and builds; everything when no target is named.
build() {
  local preset="$1"
  shift
  step "configuring build/$preset"
  cmake --preset "$preset" >"build/configure-$preset.log" 2>&1 || {
    tail -n 30 "build/configure-$preset.log" >&2
    die "cmake --preset $preset failed; all of it is in build/configure-$preset.log"
  }
  step "building ${*:-everything} with preset $preset"
  cmake --build --preset "$preset" --parallel "$(jobs_that_fit)" ${@:+--target "$@"}
}

# npm_install FOLDER: what its lock file says, unless that is there already.
npm_install() {
  local folder="$1"
  [[ -f $folder/package-lock.json ]] || return 0
  if [[ $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]]; then
    echo "$folder: node packages are there"
    return 0
  fi
  step "$folder: npm ci"
  (cd "$folder" && npm ci --ignore-scripts --no-fund --no-audit)
}

# The pages that the daemon serves; rebuilt when something of web/ is newer.
build_web() {
  [[ -f web/package.json ]] || return 0
  npm_install web || return 1
  local built=web/dist/.built
  if [[ -f $built && -z "$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -newer "$built" -print -quit)" ]]; then
    echo "web: pages are built"
    return 0
  fi
  step "web: npm run build"
  (cd web && npm run --silent build) || return 1
  mkdir -p web/dist && touch "$built"
}

mkdir -p build
