#!/bin/sh
# Lays out the whole file system of an image: one program, the libraries that it is linked with, and the certificates of
# the system. No shell and no package manager, so that there is little to attack and little to keep up to date.
# Usage: root.sh PROGRAM FOLDER   (on Debian, as root; the Dockerfile runs it)
set -eu

program=$1
root=$2

install -D --mode=0755 --target-directory="$root/usr/local/bin" "$program"

# glibc's and GCC's, under the paths at which the loader looks for them. None if the program is linked statically.
{ ldd "$program" || true; } | grep -o '/[^ ]*' | sort -u | while read -r library; do
    install -D --mode=0755 "$library" "$root$library"
    # Scanners look here for what must be kept up to date, since there is no database of packages.
    package=$(dpkg-query --search "$library" | cut -d: -f1)
    mkdir -p "$root/var/lib/dpkg/status.d"
    dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
    licence=/usr/share/doc/$package/copyright
    [ ! -e "$licence" ] || install -D --mode=0644 "$licence" "$root$licence"
done

# For a database, a Redis or a collector that speaks TLS.
install -D --mode=0644 --target-directory="$root/etc/ssl/certs" /etc/ssl/certs/ca-certificates.crt
install -D --mode=0644 --target-directory="$root/etc" /etc/os-release
# Names are found as elsewhere: first in the file, then by asking.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
