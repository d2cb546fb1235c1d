#!/bin/sh
# An alert on a metric that does not exist never fires: each name in the alerts is one that the bridge
# registers. Usage: config_alerts_test.sh PROJECT
set -eu
cd "$1"
failed=0
for name in $(grep -v '^ *#' config/prometheus-alerts.yaml | grep -o 'vigie_[a-z_]*' | sort -u); do
    if ! grep -rqF "\"${name%_bucket}\"" --include='*.c' bridge; then
        echo "config/prometheus-alerts.yaml: no metric is called $name"
        failed=1
    fi
done
exit $failed
