#!/bin/sh
# An example for a shell: QEMU under a permit, which ends when the guest asks for a login.
#
#   qemu-with-permit.sh disk.img [further words for QEMU]
set -eu
disk=$1
shift
# A comma in a value is written twice.
file=$(printf '%s' "$disk" | sed 's/,/,,/g')
exec bootstorm permit --vm="${disk##*/}" --memory 1024 --ready console:login: -- \
  qemu-system-x86_64 -nographic -m 1024 -drive "file=$file,if=virtio" "$@"
