#!/usr/bin/env bash
# Installs the Debian packages that the tests and benchmarks need, so that none is skipped.
# Run as root on Debian 12 or later.
set -euo pipefail

packages=(
  linux-perf      # the other witness of lock waits
  trace-cmd       # peer of the ring-buffer decoder, in bench/
  chromium        # opens the report as a reader would
  qemu-system-x86 # doctor asks it whether KVM runs a guest
  spin gcc        # the other model checker
  libc6-dev
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get install --quiet --quiet --yes --no-install-recommends "${missing[@]}" >/dev/null
