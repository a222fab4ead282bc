# shellcheck shell=bash
# Where the Compose stack of the tests runs: an engine of its own, and ports beside the usual ones. Sourced by the scripts that
# `make test-compose` runs.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# The data of the engine outlives the clone: making the base image and the stand-ins takes minutes the first time.
engine_folder=$cache/engine
# Its own address on its default network, where containers reach this machine.
engine_address=172.31.0.1
export DOCKER_HOST=unix://$engine_folder/docker.sock

# The project's own file, and what cannot be had where tests run. Settings are those of .env.example, which so is proved
# to work, and not those of a developer's .env.
export COMPOSE_PROJECT_NAME=shortener-test
export COMPOSE_FILE=$repository/docker-compose.yml:$repository/tests/compose/override.yml
export COMPOSE_ENV_FILES=$repository/.env.example
# shellcheck disable=SC2034 # Used by those who source this.
compose=("$(tool_folder docker-compose)/bin/docker-compose")

# The second image of the Dockerfile, which no service of that file runs.
export OPERATOR_IMAGE=urlshortener/operator:0.1.0

export SHORTENER_PORT=28080 PROMETHEUS_PORT=29090 ALERTMANAGER_PORT=29093 GRAFANA_PORT=23000
# A receiver of the tests, in the form that Discord wants.
export ALERT_DISCORD_WEBHOOK_URL=http://$engine_address:29099/api/webhooks/1/token
