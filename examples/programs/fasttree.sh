#!/bin/sh
# Builds fasttree.wasm, FastTree 2.1.11 (Price, Dehal, Arkin 2010; GPL-2+) for WASI, from the source of the Debian package. Once before:
#
#     apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
#
# usage: fasttree.sh [PATH]
set -eu
program=${1:-$(dirname "$0")/fasttree.wasm}
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
# The source is beside the package, at the mirror that apt uses.
package=$(apt-get --print-uris download fasttree | cut -d "'" -f 2)
curl --fail --silent --show-error --retry 3 "${package%/*}/fasttree_2.1.11.orig.tar.xz" -o "$source/fasttree.tar.xz"
echo "7f15713f02afb167f4f33dc067b5b2282b219b22fbaa17eb8f771a7147a05a5c  $source/fasttree.tar.xz" | sha256sum --check --quiet
tar --extract --file "$source/fasttree.tar.xz" --directory "$source" --strip-components 1
clang --target=wasm32-wasi --sysroot=/usr -O3 -DUSE_DOUBLE -DNO_SSE -o "$program" "$source/fasttree.c" -lm
