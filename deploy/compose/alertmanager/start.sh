#!/bin/sh
# Writes Alertmanager's configuration from the ALERT_ variables of .env.example and turns into Alertmanager, which reads no
# variables itself. Each place that is set gets every alert; with none set, alerts show at Alertmanager's own page alone.
# Every variable has a _FILE form that names a file to read it from. Usage: start.sh [FLAG OF ALERTMANAGER...]
set -eu

config=${ALERT_CONFIG_FILE:-/tmp/alertmanager.yml}
templates=${ALERT_TEMPLATES:-/etc/alertmanager-templates}

# Prints the value of a variable, or of the file that its _FILE form names.
setting() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -z "$value" ] && [ -n "$file" ]; then
        value=$(cat "$file")
    fi
    printf '%s' "$value"
}

# Quotes a text for YAML.
quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"
}

discord=$(setting ALERT_DISCORD_WEBHOOK_URL)
slack=$(setting ALERT_SLACK_WEBHOOK_URL)
slack_channel=$(setting ALERT_SLACK_CHANNEL)
webhook=$(setting ALERT_WEBHOOK_URL)
email_to=$(setting ALERT_EMAIL_TO)
email_from=$(setting ALERT_EMAIL_FROM)
smtp_host=$(setting ALERT_SMTP_HOST)
smtp_user=$(setting ALERT_SMTP_USER)
smtp_password=$(setting ALERT_SMTP_PASSWORD)

if [ -n "$email_to" ] && [ -z "$smtp_host" ]; then
    echo "ALERT_EMAIL_TO is set, but not ALERT_SMTP_HOST: through which server should e-mail go?" >&2
    exit 1
fi

umask 077
{
    echo "templates: [$(quoted "$templates/*.tmpl")]"
    cat <<'ROUTE'
route:
  receiver: everyone
  # One message for an alert of all instances.
  group_by: [alertname, namespace, service]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
inhibit_rules:
  # An instance that is gone explains its own errors, and a budget that burns says what the short alert says.
  - source_matchers: ['alertname = "HighErrorRate"']
    target_matchers: ['alertname =~ "AvailabilityBudget.*"']
    equal: [namespace, service]
  # Whoever is cut off from Postgres serves what it knows: one cause, one message.
  - source_matchers: ['alertname = "PostgresAway"']
    target_matchers: ['alertname =~ "ServingStale|JournalFilling"']
    equal: [namespace, service, instance]
receivers:
  - name: everyone
ROUTE
    if [ -n "$discord" ]; then
        echo "    discord_configs:"
        echo "      - webhook_url: $(quoted "$discord")"
        echo "        title: '{{ template \"shortener.title\" . }}'"
        echo "        message: '{{ template \"shortener.text\" . }}'"
    fi
    if [ -n "$slack" ]; then
        echo "    slack_configs:"
        echo "      - api_url: $(quoted "$slack")"
        [ -z "$slack_channel" ] || echo "        channel: $(quoted "$slack_channel")"
        echo "        send_resolved: true"
        echo "        title: '{{ template \"shortener.title\" . }}'"
        echo "        text: '{{ template \"shortener.text\" . }}'"
    fi
    if [ -n "$webhook" ]; then
        echo "    webhook_configs:"
        echo "      - url: $(quoted "$webhook")"
    fi
    if [ -n "$email_to" ]; then
        echo "    email_configs:"
        echo "      - to: $(quoted "$email_to")"
        echo "        from: $(quoted "${email_from:-$email_to}")"
        echo "        smarthost: $(quoted "$smtp_host")"
        echo "        send_resolved: true"
        [ -z "$smtp_user" ] || echo "        auth_username: $(quoted "$smtp_user")"
        [ -z "$smtp_password" ] || echo "        auth_password: $(quoted "$smtp_password")"
        echo "        headers: { Subject: '{{ template \"shortener.title\" . }}' }"
        echo "        text: '{{ template \"shortener.text\" . }}'"
        echo "        html: ''"
    fi
} >"$config"

# The tests look at what was written.
[ -z "${ALERT_CONFIG_ONLY:-}" ] || exit 0

exec alertmanager --config.file="$config" --storage.path=/alertmanager --cluster.listen-address= \
    --web.external-url="${ALERT_EXTERNAL_URL:-http://localhost:9093}" --web.route-prefix=/ "$@"
