#!/usr/bin/env bash
# Runs the last stage of the Containerfile without a container engine: as root on Debian, in a debootstrap.
#
#   deploy/container/check.sh PATH/TO/footlight [ROOT]
#
# It takes the stage's own lines: RUN in a chroot, COPY --from as a copy of the binary given, ENV, WORKDIR, USER, VOLUME and
# CMD as they are written. Then it starts the node as that user, without capabilities, on a root mounted read-only, with a
# tmpfs on the volume, in a network of its own; asks /healthz, /readyz and /metrics; looks that nothing was written outside
# the volume; and ends it with SIGTERM. ROOT keeps the system between runs; without it a temporary one is made and removed.
#
# Needs debootstrap (or tar and ROOT), python3, curl, unshare, setpriv.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ $# -lt 1 || $1 == -* ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'
    exit 2
fi
[[ $(id -u) == 0 ]] || { echo "run it as root: it makes mounts and a chroot" >&2; exit 2; }
binary=$(realpath "$1")
scratch=$(mktemp -d)
root=${2:-$scratch/root}
trap 'rm -rf --one-file-system "$scratch"' EXIT
say() { printf '\n== %s\n' "$*"; }

# One instruction of the last stage a line: its word, a tab, the rest.
python3 - "$here/Containerfile" > "$scratch/steps" <<'PYTHON'
import re, sys
lines = [line for line in open(sys.argv[1], encoding="utf-8") if not line.lstrip().startswith("#")]
steps = []
for step in re.sub(r"\\\n", " ", "".join(lines)).splitlines():
    if step.strip():
        word, rest = step.split(None, 1)
        steps.append((word.upper(), rest.strip()))
last = max(at for at, (word, _) in enumerate(steps) if word == "FROM")
for word, rest in steps[last:]:
    print(word, rest, sep="\t")
PYTHON

image=$(awk -F'\t' '$1 == "FROM" { print $2 }' "$scratch/steps")
suite=$(sed -E 's/^debian:([a-z]+)(-slim)?$/\1/' <<<"$image")
[[ $suite != "$image" ]] || { echo "the last stage begins from $image, which is no Debian" >&2; exit 1; }

if [[ ! -x $root/bin/sh ]]; then
    say "FROM $image: debootstrap --variant=minbase $suite"
    mirror=$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1 || true)
    debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"} > "$scratch/debootstrap.log" 2>&1 \
        || { tail "$scratch/debootstrap.log" >&2; exit 1; }
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
# apt goes out through whatever proxy this machine uses.
for part in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf; do
    [[ ! -e $part ]] || cp "$part" "$root/etc/apt/apt.conf.d/"
done

environment=() workdir=/ user=0:0 volume="" entry="" arguments=""
while IFS=$'\t' read -r word rest; do
    say "$word ${rest:0:110}"
    case $word in
        FROM | EXPOSE | STOPSIGNAL) ;;
        RUN)
            # shellcheck disable=SC2016 # the inner shell expands it
            unshare --mount sh -ec '
                mount --bind "$1" "$1"; mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"
                exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
                    http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" /bin/sh -ec "$2"' sh "$root" "$rest" \
                > "$scratch/run.log" 2>&1 || {
                # A ROOT that is kept has the user already.
                grep -q 'already exists' "$scratch/run.log" || { tail "$scratch/run.log" >&2; exit 1; }
            }
            ;;
        COPY) install -m 0755 "$binary" "$root${rest##* }" ;;
        ENV) while read -r pair; do environment+=("$pair"); done < <(tr -s ' ' '\n' <<<"$rest") ;;
        WORKDIR) workdir=$rest && mkdir -p "$root$workdir" ;;
        USER) user=$rest ;;
        VOLUME) volume=$rest ;;
        ENTRYPOINT) entry=$rest ;;
        CMD) arguments=$rest ;;
        *) echo "this script does not know $word" >&2; exit 1 ;;
    esac
done < "$scratch/steps"
mapfile -t command < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1]) + json.loads(sys.argv[2]), sep="\n")' "$entry" "$arguments")

[[ $user != 0* && $user != root* ]] || { echo "it would run as root" >&2; exit 1; }
chroot "$root" test ! -u "${command[0]}"
missing=$(chroot "$root" ldd "${command[0]}" | grep 'not found' || true)
[[ -z $missing ]] || { echo "$missing" >&2; exit 1; }
echo
echo "root: $(du -sxm "$root" | cut -f1) MB with debootstrap's apt, binary: $(($(stat -c %s "$binary") / 1000000)) MB"

say "run: ${command[*]} as $user, root read-only, tmpfs on $volume"
cat > "$scratch/inside" <<'INSIDE'
set -euo pipefail
root=$1 volume=$2 workdir=$3 user=$4; shift 4
fail() { echo "FAILED: $*" >&2; tail -20 "$log" >&2; exit 1; }
log=$(mktemp)
ip link set lo up 2>/dev/null || python3 -c '
import fcntl, socket, struct
s = socket.socket(); fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))'   # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o "size=256m,mode=0700,uid=${user%:*},gid=${user#*:}" tmpfs "$root$volume"
mount -o remount,bind,ro "$root"
! touch "$root/probe" 2>/dev/null || fail "the root is not read-only"

mapfile -t environment < "$scratch/environment"
began=$(date +%s%N)
# chroot changes the root; setpriv, inside, gives up all rights for good.
chroot "$root" /usr/bin/env -i --chdir="$workdir" PATH=/usr/local/bin:/usr/bin:/bin "${environment[@]}" \
    FOOTLIGHT_ADMIN_TOKEN=0123456789abcdef /usr/bin/setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all "$@" > "$log" 2>&1 &
node=$!
for _ in $(seq 300); do
    curl -sf -o /dev/null http://127.0.0.1:9090/healthz && break
    kill -0 "$node" 2>/dev/null || fail "it ended by itself"
    sleep 0.1
done
echo "healthz: $(curl -s http://127.0.0.1:9090/healthz) after $((($(date +%s%N) - began) / 1000000)) ms"
ready=$(curl -s -w ' %{http_code}' http://127.0.0.1:9090/readyz); echo "readyz:  $ready"
[[ $ready == *" 200" ]] || fail "it is not ready"
[[ $(curl -s http://127.0.0.1:8080/openapi.json) == *'"openapi"'* ]] || fail "the public listener does not answer"
curl -s http://127.0.0.1:9090/metrics > "$scratch/metrics"
echo "metrics: $(grep -c '^footlight_' "$scratch/metrics") series"
echo "process: $(tr -s '\t\n' ' ' < <(grep -E '^(Uid|Gid|CapEff|CapBnd|NoNewPrivs|Seccomp|VmRSS)' "/proc/$node/status"))"
uid=$(awk '/^Uid/ { print $2 }' "/proc/$node/status")
[[ $uid == "${user%:*}" ]] || fail "it runs as $uid"
grep -q '^CapEff:\s*0000000000000000$' "/proc/$node/status" || fail "it has capabilities"
grep -o 'encoder *assembly: [a-z]*' "$log" || true

# Work that writes, so that what is written can be seen: an account, credits, a session.
json() { curl -sf -H 'content-type: application/json' "$@"; }
operator=(-H "authorization: Bearer 0123456789abcdef")
account=$(json "${operator[@]}" -X POST http://127.0.0.1:9090/admin/v1/accounts -d '{}') || fail "no account"
read -r id secret < <(python3 -c 'import json, sys; a = json.load(sys.stdin); print(a["id"], a["api_secret"])' <<<"$account")
json "${operator[@]}" -X POST "http://127.0.0.1:9090/admin/v1/accounts/$id/grants" -H 'idempotency-key: check' \
    -d '{"kind":"top_up","credits":10}' > /dev/null || fail "no grant"
session=$(json -H "api-secret: $secret" -X POST http://127.0.0.1:8080/v1/sessions -d '{"avatar":"ada"}') || fail "no session"
echo "session: $(python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["id"], s["state"])' <<<"$session")"
echo "written: $(cd "$root$volume" && find . -type f | sort | tr '\n' ' ')"

kill -TERM "$node"
code=0; wait "$node" || code=$?
echo "SIGTERM: exit $code"
[[ $code == 0 ]] || fail "it did not end well"
INSIDE
printf '%s\n' "${environment[@]}" > "$scratch/environment"
marker=$scratch/marker && touch "$marker"
export scratch
unshare --mount --net --pid --fork --mount-proc bash "$scratch/inside" "$root" "$volume" "$workdir" "$user" "${command[@]}"
stray=$(find "$root" -xdev -newer "$marker" -type f)
[[ -z $stray ]] || { echo "FAILED: written outside the volume: $stray" >&2; exit 1; }
[[ -z ${KEEP_METRICS:-} ]] || cp "$scratch/metrics" "$KEEP_METRICS"
say "The container's steps hold."
