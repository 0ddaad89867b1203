#!/usr/bin/env bash
# under_load.sh TEST_PROGRAM...: runs sandbox tests while every core is busy twice over and the disk
# they work on (a small tmpfs of our own) is nearly full. Ends with 77 where that cannot be set up.
# Bounded: each program has SECONDS_MAX; the busy loops end with this script.
set -uo pipefail

readonly SECONDS_MAX=300
readonly DISK_KIB=65536 FREE_KIB=8192

# A mount namespace of our own: as root, or as root of a user namespace.
if [ "${LEVIN_UNDER_LOAD:-}" != inside ]; then
  export LEVIN_UNDER_LOAD=inside
  flags=(--mount)
  [ "$(id -u)" -eq 0 ] || flags=(--user --map-root-user --mount)
  if ! unshare "${flags[@]}" true 2>/dev/null; then
    echo "under_load: no mount namespace can be made here: skipped"
    exit 77
  fi
  exec unshare "${flags[@]}" -- bash "$0" "$@"
fi

disk=$(mktemp -d)
busy=()
clean() {
  local pid
  for pid in "${busy[@]}"; do kill "$pid" 2>/dev/null; done
  wait 2>/dev/null
  umount "$disk" 2>/dev/null
  rmdir "$disk" 2>/dev/null
}
trap clean EXIT
trap 'exit 130' INT TERM

if ! mount -t tmpfs -o "size=${DISK_KIB}k,mode=1777" tmpfs "$disk"; then
  echo "under_load: no tmpfs can be mounted here: skipped"
  exit 77
fi
head -c "$(((DISK_KIB - FREE_KIB) * 1024))" /dev/zero >"$disk/ballast"
chmod 0600 "$disk/ballast"
export TMPDIR=$disk

for ((count = 0; count < 2 * $(nproc); ++count)); do
  bash -c 'while :; do :; done' &
  busy+=($!)
done

status=0
for program in "$@"; do
  echo "== $(basename -- "$program") with $((2 * $(nproc))) busy loops and $((FREE_KIB / 1024)) MiB of disk"
  timeout --kill-after=10 "$SECONDS_MAX" "$program" --gtest_brief=1 || status=1
done
for pid in "${busy[@]}"; do
  # A load that has ended was none.
  kill -0 "$pid" 2>/dev/null || { echo "under_load: a busy loop ended early"; status=1; }
done
exit "$status"
