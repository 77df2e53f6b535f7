#!/bin/sh
# cryopick-leave now|aws|gcp: let the workers of this machine end well before it vanishes.
# `now` tells them at once (a Kubernetes preStop hook); `aws` and `gcp` first wait for the cloud's notice
# that a spot machine is taken back: two minutes and half a minute ahead.
# Told, a worker finishes the micrograph in hand, publishes what it has, and leaves; others do the rest.
set -eu

METADATA=${METADATA:-http://169.254.169.254}
SECONDS_TO_FINISH=25
WORKERS='^ray::PickHost'

aws_notice() {
    token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$METADATA/latest/api/token") &&
        curl -sf -m 5 -o /dev/null -H "X-aws-ec2-metadata-token: $token" \
            "$METADATA/latest/meta-data/spot/instance-action"
}

gcp_notice() {
    [ "$(curl -sf -m 5 -H 'Metadata-Flavor: Google' "$METADATA/computeMetadata/v1/instance/preempted")" = TRUE ]
}

now_notice() {
    true
}

leave() {
    pkill -TERM -f "$WORKERS" || return 0
    while [ "$SECONDS_TO_FINISH" -gt 0 ] && pgrep -f "$WORKERS" > /dev/null; do
        sleep 1
        SECONDS_TO_FINISH=$((SECONDS_TO_FINISH - 1))
    done
}

case ${1:-} in
    now | aws | gcp) ;;
    *)
        echo "usage: $0 now|aws|gcp" >&2
        exit 2
        ;;
esac

until "${1}_notice"; do
    sleep 2
done
echo "this machine is taken back: workers are told to leave"
leave
