-- Who could touch an environment, and whether that is still so: a row for each token. Filter by environment, token_usable_from and token_usable_until.
-- Made of who-could-touch.sql (npm run docs). It reads the whole archive, and BigQuery bills what it reads.
WITH entries AS (
  SELECT timestamp, log_name, json_payload, proto_payload
  FROM `PROJECT.keydesk_logs._AllLogs`
),
lines AS (
  SELECT
    timestamp AS logged_at,
    JSON_VALUE(json_payload.event) AS event,
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    JSON_VALUE(json_payload.kind) AS kind,
    JSON_VALUE(json_payload.credential) AS credential,
    JSON_VALUE(json_payload.environment) AS environment,
    JSON_VALUE(json_payload.revocation) AS revocation,
    JSON_VALUE(json_payload.rule) AS rule_name,
    JSON_VALUE(json_payload.policy_sha256) AS policy_sha256,
    JSON_VALUE(json_payload.service_account) AS service_account,
    JSON_VALUE(json_payload.organization_slug) AS organization_slug,
    JSON_VALUE(json_payload.pipeline_slug) AS pipeline_slug,
    JSON_VALUE(json_payload.build_number) AS build_number,
    JSON_VALUE(json_payload.build_branch) AS build_branch,
    JSON_VALUE(json_payload.build_commit) AS build_commit,
    JSON_VALUE(json_payload.job_id) AS job_id,
    JSON_VALUE(json_payload.step_key) AS step_key,
    TIMESTAMP(JSON_VALUE(json_payload.created_at)) AS created_at,
    TIMESTAMP(JSON_VALUE(json_payload.leased_at)) AS leased_at,
    TIMESTAMP(JSON_VALUE(json_payload.issued_at)) AS issued_at,
    TIMESTAMP(JSON_VALUE(json_payload.token_expires_at)) AS token_expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.expires_at)) AS expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.access_ended_at)) AS access_ended_at,
    JSON_QUERY_ARRAY(json_payload.past_leases) AS past_leases
  FROM entries
  WHERE JSON_VALUE(json_payload.event) IN ('grant.issued', 'grant.revoked', 'grant.ended', 'grant.expired')
),
issued AS (
  SELECT lines.* FROM lines WHERE event = 'grant.issued'
),
ended AS (
  SELECT lines.* FROM lines WHERE event != 'grant.issued'
),
usable AS (
  SELECT
    issued.grant_id, issued.credential, issued.revocation, issued.organization_slug, issued.pipeline_slug,
    issued.build_number, issued.build_branch, issued.build_commit, issued.job_id, issued.step_key, issued.rule_name,
    issued.policy_sha256, issued.environment, issued.created_at, issued.issued_at AS usable_from,
    LEAST(issued.token_expires_at, COALESCE(MIN(ended.access_ended_at), issued.token_expires_at)) AS usable_until
  FROM issued
  LEFT JOIN ended ON ended.grant_id = issued.grant_id AND ended.access_ended_at >= issued.issued_at
  GROUP BY
    issued.grant_id, issued.credential, issued.revocation, issued.organization_slug, issued.pipeline_slug,
    issued.build_number, issued.build_branch, issued.build_commit, issued.job_id, issued.step_key, issued.rule_name,
    issued.policy_sha256, issued.environment, issued.created_at, issued.issued_at, issued.token_expires_at
),
spans AS (
  SELECT
    grant_id, MIN(created_at) AS created_at, MAX(usable_until) AS usable_until,
    MAX(usable_until) > CURRENT_TIMESTAMP() AS still_usable
  FROM usable
  GROUP BY grant_id
)
SELECT DISTINCT
  usable.environment, usable.usable_from AS token_usable_from, usable.usable_until AS token_usable_until,
  usable.pipeline_slug, usable.build_number, usable.build_branch, usable.build_commit, usable.job_id, usable.step_key,
  usable.credential, usable.revocation, usable.rule_name, usable.policy_sha256, usable.grant_id,
  spans.created_at, spans.usable_until, spans.still_usable
FROM usable
INNER JOIN spans ON spans.grant_id = usable.grant_id
