#!/usr/bin/env bash
# Installs the Debian packages that the tests and benchmarks need, so that none is skipped.
# Run as root on Debian 12 or later.
set -euo pipefail

packages=(
  linux-perf      # the other witness of lock waits
  trace-cmd       # peer of the ring-buffer decoder, in bench/
  chromium        # opens the report as a reader would, and runs the core in a tab
  qemu-system-x86 # doctor asks it whether KVM runs a guest; storm boots VMs
  busybox-static  # what runs in those VMs
  linux-image-cloud-amd64 # what they boot
  xz-utils zstd lz4 bzip2 # unpack kernels
  cpio            # the other reader of an initramfs
  spin gcc        # the other model checker
  shellcheck      # reads the hooks
  systemd         # its systemd-analyze reads the units
  libc6-dev
  linux-source-6.12 make flex bison bc patch libelf-dev libssl-dev # the kernels of kernel/
  g++ libns3-dev  # peers of the event calendar, in bench/
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
