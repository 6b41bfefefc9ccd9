#!/usr/bin/env bash
# Builds the small kernels of kernel/: Debian's source, a configuration, the load, and one patch or
# none. What is built is kept, by a hash of all that goes in. docs/kernels.md tells what they are for.
set -euo pipefail

readonly SOURCE_PACKAGE=linux-source-6.12

usage() {
  cat <<END
Usage: scripts/build-kernels.sh [--find | --list | --clean] [KERNEL…]

Build kernels and print the path of each image. A KERNEL is a patch of kernel/patches or \`stock\`, and
may have a configuration of kernel/config behind it: \`no-cpa-lock\`, \`stock+lock-stat\`. Without one,
stock and every patch are built, with the configuration \`base\`.

  --find    build nothing: KERNEL and image of those that are built; a failure where one is not
  --list    all kernels, and the image of those that are built
  --clean   remove the cache: source, object files and images
  --help    this text

The cache is BOOTSTORM_KERNELS, else \$XDG_CACHE_HOME/bootstorm/kernels or ~/.cache/bootstorm/kernels.
It takes 2 GiB, and 0.2 GiB more for each configuration. JOBS is the number of compilers at once
(default: one for each CPU); they run with the lowest priority.
END
}

# fail STATUS WHAT WHY REMEDY…
fail() {
  local status=$1 what=$2 why=$3
  shift 3
  printf 'build-kernels: %s\n  why: %s\n' "$what" "$why" >&2
  printf '  do:  %s\n' "$@" >&2
  exit "$status"
}

say() {
  printf 'build-kernels: %s\n' "$*" >&2
}

kernel_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../kernel" && pwd)
readonly kernel_dir
readonly cache=${BOOTSTORM_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/bootstorm/kernels}

# What is being written; it gets its name when it is complete.
readonly unfinished=$cache/unfinished

main() {
  local kernels=() work=build word
  for word in "$@"; do
    case $word in
      --find | --list | --clean) work=${word#--} ;;
      --help) usage && exit 0 ;;
      -*) fail 2 "unknown flag $word" "there are --find, --list, --clean and --help" "scripts/build-kernels.sh --help" ;;
      *) require_known "$word" && kernels+=("$word") ;;
    esac
  done
  [ ${#kernels[@]} -gt 0 ] || mapfile -t kernels < <(names patches .patch)
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  if [ "$work" = clean ]; then
    flock 9
    rm -rf "$cache"/{source,build,images,unfinished,$SOURCE_PACKAGE.tar.xz}
    return
  fi

  require_tools
  local tarball
  tarball=$(find_source)
  [ -n "$tarball" ] || [ "$work" != build ] || tarball=$(fetch_source)
  # What an image is made of, beside what kernel/ has: source, compiler, and how it is done here.
  inputs=$(
    sha256sum <"${tarball:-/dev/null}"
    gcc --version
    ld --version
    declare -f build prepare_source compile config_text
  )
  readonly inputs
  case $work in
    list) list_kernels; return ;;
    find) find_kernels "${kernels[@]}"; return ;;
  esac
  local kernel image
  for kernel in "${kernels[@]}"; do
    image=$(image_of "$kernel")
    if [ ! -e "$image" ]; then
      flock --nonblock 9 || { say "waiting for another build" && flock 9; }
      [ -e "$image" ] || build "$kernel" "$image" "$tarball"
      flock --unlock 9
    fi
    echo "$image"
  done
}

# The files of a folder without their ending, the unchanged kernel and the plain configuration first.
names() {
  case $1 in
    patches) echo stock ;;
    config) echo base ;;
  esac
  (cd "$kernel_dir/$1" && ls -- *"$2") | sed "s/\\$2\$//" | grep -vx base
}

patch_of() {
  echo "${1%%+*}"
}

config_of() {
  case $1 in
    *+*) echo "${1#*+}" ;;
    *) echo base ;;
  esac
}

require_known() {
  grep -qxF -- "$(patch_of "$1")" <<<"$(names patches .patch)" ||
    fail 2 "there is no kernel $1" "kernel/patches has no $(patch_of "$1").patch" \
      "one of: $(names patches .patch | xargs)"
  grep -qxF -- "$(config_of "$1")" <<<"$(names config .config)" ||
    fail 2 "there is no kernel $1" "kernel/config has no $(config_of "$1").config" \
      "behind the +, one of: $(names config .config | xargs)"
}

require_tools() {
  local program missing=()
  for program in gcc ld make flex bison bc patch xz perl sha256sum flock; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  echo '#include <libelf.h>' | gcc -E - >/dev/null 2>&1 || missing+=(libelf.h)
  [ ${#missing[@]} -eq 0 ] || fail 3 "cannot build a kernel here" "this host lacks ${missing[*]}" \
    "apt-get install gcc make flex bison bc libelf-dev patch xz-utils perl"
}

# Prints where the source is: where its package puts it, or where it was fetched to; or nothing.
find_source() {
  local tarball
  for tarball in "/usr/src/$SOURCE_PACKAGE.tar.xz" "$cache/$SOURCE_PACKAGE.tar.xz"; do
    if [ -r "$tarball" ]; then
      echo "$tarball"
      return
    fi
  done
}

# apt checks what it fetches. A point release of Debian has another source under the same name; the
# hash of images tells them apart.
fetch_source() {
  local tarball=$cache/$SOURCE_PACKAGE.tar.xz
  say "fetching $SOURCE_PACKAGE (150 MB)"
  flock 9
  rm -rf "$unfinished" && mkdir "$unfinished"
  (cd "$unfinished" && apt-get download "$SOURCE_PACKAGE" >&2 && dpkg-deb --extract ./*.deb .) ||
    fail 3 "there is no kernel source" "apt-get cannot download $SOURCE_PACKAGE here; Debian 12 and 13 have it" \
      "apt-get update && apt-get install $SOURCE_PACKAGE" \
      "or put the file of that package, /usr/src/$SOURCE_PACKAGE.tar.xz, into $cache"
  mv "$unfinished/usr/src/$SOURCE_PACKAGE.tar.xz" "$tarball"
  rm -rf "$unfinished"
  flock --unlock 9
  echo "$tarball"
}

# What a kernel is configured with: `base`, and what its own configuration adds.
config_text() {
  cat "$kernel_dir/config/base.config"
  [ "$1" = base ] || cat "$kernel_dir/config/$1.config"
}

image_of() {
  local patch hash
  patch=$(patch_of "$1")
  hash=$(
    {
      echo "$inputs"
      config_text "$(config_of "$1")"
      cat "$kernel_dir/load/bootstorm-load.c"
      # Without its text: words do not change a kernel.
      [ "$patch" = stock ] || sed -n '/^--- a\//,$p' "$kernel_dir/patches/$patch.patch"
    } | sha256sum
  )
  echo "$cache/images/$1-${hash:0:16}/vmlinux"
}

list_kernels() {
  local config patch kernel image
  for config in $(names config .config); do
    for patch in $(names patches .patch); do
      kernel=$patch
      [ "$config" = base ] || kernel+=+$config
      image=$(image_of "$kernel")
      [ -e "$image" ] || image="not built"
      printf '%-28s %s\n' "$kernel" "$image"
    done
  done
}

find_kernels() {
  local kernel image missing=()
  for kernel in "$@"; do
    image=$(image_of "$kernel")
    if [ -e "$image" ]; then
      printf '%-28s %s\n' "$kernel" "$image"
    else
      missing+=("$kernel")
    fi
  done
  [ ${#missing[@]} -eq 0 ] || fail 1 "not built: ${missing[*]}" \
    "$cache/images has no image of it as kernel/ describes it now" \
    "scripts/build-kernels.sh ${missing[*]}"
}

# build KERNEL IMAGE TARBALL
build() {
  local kernel=$1 image=$2 tarball=$3 config folder begun=$SECONDS
  config=$(config_of "$kernel")
  folder=$cache/build/$config
  unpack "$tarball"
  prepare_source "$(patch_of "$kernel")"
  say "building $kernel, log in $folder/build.log"
  mkdir -p "$folder"
  config_text "$config" >"$folder/wanted.config"
  compile "$kernel" "$folder" >"$folder/build.log" 2>&1 ||
    fail 1 "cannot build $kernel" "$(tail -n 3 "$folder/build.log" | tr '\n' ' ')" "see $folder/build.log"
  rm -rf "$unfinished" && mkdir -p "$unfinished" "$cache/images"
  strip -o "$unfinished/vmlinux" "$folder/vmlinux"
  cp "$folder/.config" "$unfinished/config"
  cp "$folder/System.map" "$unfinished/"
  rm -rf "$(dirname "$image")" && mv "$unfinished" "$(dirname "$image")"
  say "built $kernel in $((SECONDS - begun)) s"
}

# One tree for all kernels: object files remember where their source was.
unpack() {
  local hash
  hash=$(sha256sum <"$1")
  [ "$(cat "$cache/source/hash" 2>/dev/null)" != "$hash" ] || return 0
  say "unpacking $1"
  rm -rf "$cache/source" "$unfinished" && mkdir "$unfinished"
  tar --extract --file "$1" --directory "$unfinished" --strip-components 1 --one-top-level=linux
  echo "$hash" >"$unfinished/hash"
  mv "$unfinished" "$cache/source"
}

# Makes the tree that of one patch. A file is written only where it changes, so that little is
# compiled again. The unpacked files that any patch has changed are kept in `original`.
prepare_source() {
  local patch=$1 linux=$cache/source/linux original=$cache/source/original file
  rm -rf "$unfinished" && mkdir "$unfinished"
  local pat=arch/x86/mm/pat
  while read -r file; do
    if [ ! -e "$original/$file" ]; then
      mkdir -p "$(dirname "$original/$file")"
      cp "$linux/$file" "$original/$file.part" && mv "$original/$file.part" "$original/$file"
    fi
  done < <(echo $pat/Makefile && sed -n 's,^+++ b/,,p' "$kernel_dir"/patches/*.patch | sort -u)

  cp -r "$original/." "$unfinished/"
  cp "$kernel_dir/load/bootstorm-load.c" "$unfinished/$pat/"
  echo 'obj-y += bootstorm-load.o' >>"$unfinished/$pat/Makefile"
  if [ "$patch" != stock ]; then
    patch --directory "$unfinished" --strip 1 --fuzz 0 --silent --no-backup-if-mismatch \
      <"$kernel_dir/patches/$patch.patch" >&2 ||
      fail 1 "kernel/patches/$patch.patch does not apply" "it was made for another version of $SOURCE_PACKAGE" \
        "make it again against $linux"
  fi
  (cd "$unfinished" && find . -type f) | while read -r file; do
    cmp --silent "$unfinished/$file" "$linux/$file" || mv "$unfinished/$file" "$linux/$file"
  done
}

# compile KERNEL BUILD-FOLDER. Equal input gives an equal image: no time, user or host is in it.
compile() {
  local make=(
    nice -n 19 make -C "$cache/source/linux" -j "${JOBS:-$(nproc)}" ARCH=x86_64 "O=$2"
    "LOCALVERSION=-$1" KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_VERSION=1
    KBUILD_BUILD_USER=bootstorm KBUILD_BUILD_HOST=bootstorm
  )
  "${make[@]}" "KCONFIG_ALLCONFIG=$2/wanted.config" allnoconfig || return
  local refused
  refused=$(grep '^CONFIG_' "$2/wanted.config" | grep -vxF -f "$2/.config" | xargs)
  if [ -n "$refused" ]; then
    echo "Kconfig did not take: $refused"
    return 1
  fi
  time "${make[@]}" vmlinux
}

# Where this file is changed while it runs, bash must not read on.
main "$@"; exit
