#!/usr/bin/env bash
# Makes the secrets of a cluster, once: tokens, keys and passwords, all random, into a directory that git ignores.
#
#   deploy/secrets.sh DIRECTORY [REDIS_HOST]
#
#   footlight.env     what every node gets in its environment, the same on all of them
#   users.acl         Redis' users, with passwords as SHA-256 only
#   redis-operator    the password of Redis' user `operator`, for backups and for looking
#   grafana-admin     the password of Grafana's `admin` (compose)
#
# What is there already is kept: a new tokens.key would end all tokens, a new password would lock the nodes out.
set -euo pipefail
umask 077

if [[ $# -lt 1 || $1 == -* ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'
    exit 2
fi
directory=$1
redis_host=${2:-footlight-redis}
mkdir -p "$directory"
# The directory is this user's alone; two files inside are everyone's, because compose mounts them as they are into
# containers whose users are others.
chmod 700 "$directory"
cd "$directory"

for file in footlight.env users.acl redis-operator grafana-admin; do
    if [[ -e $file ]]; then
        echo "$directory/$file is there already; nothing was changed" >&2
        exit 1
    fi
done

random() { openssl rand -hex 32; }
sha256() { printf %s "$1" | openssl dgst -sha256 -r | cut -d' ' -f1; }
redis_password=$(random)
operator_password=$(random)

cat > footlight.env <<END
FOOTLIGHT_ADMIN_TOKEN=$(random)
FOOTLIGHT_CLUSTER__SECRET=$(random)
FOOTLIGHT_TOKENS__KEY=$(random)
FOOTLIGHT_STORE=redis://footlight:$redis_password@$redis_host:6379/0
END
# Nodes may do what they do, to their own keys. They may not flush, configure, or look at others' keys. `config|get`, `info` and
# `role` are how a node sees that the server persists, does not evict and is the master; docs/redis.md tells the rest.
cat > users.acl <<END
user default on nopass resetkeys resetchannels -@all +ping
user footlight on #$(sha256 "$redis_password") resetkeys ~fl:* resetchannels &fl:* -@all +@read +@write +@connection +@blocking -@dangerous -function +eval +evalsha +script|load +publish +subscribe +unsubscribe +pubsub|numsub +time +info +role +config|get +cluster|slots
user operator on #$(sha256 "$operator_password") ~* &* +@all
END
printf %s "$operator_password" > redis-operator
printf %s "$(random)" > grafana-admin
chmod 644 users.acl grafana-admin
echo "wrote footlight.env, users.acl, redis-operator and grafana-admin to $directory"
