-- Who could touch an environment on a day, and is that still so? One row per grant of which a token was accepted on that day.
-- `usable_until` is the last moment at which a token of it was or will be accepted; `still_usable` compares it with now.
-- Each line of a hand-out opens an interval that ends with the token, or with the end of its grant if that came sooner.
WITH asked AS (
  SELECT
    'production' AS environment,
    TIMESTAMP('2026-11-17 00:00:00+00') AS day_from,
    TIMESTAMP('2026-11-18 00:00:00+00') AS day_until
),
issued AS (
  SELECT
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    JSON_VALUE(json_payload.environment) AS environment,
    JSON_VALUE(json_payload.credential) AS credential,
    JSON_VALUE(json_payload.revocation) AS revocation,
    JSON_VALUE(json_payload.organization_slug) AS organization_slug,
    JSON_VALUE(json_payload.pipeline_slug) AS pipeline_slug,
    JSON_VALUE(json_payload.build_number) AS build_number,
    JSON_VALUE(json_payload.build_branch) AS build_branch,
    JSON_VALUE(json_payload.build_commit) AS build_commit,
    JSON_VALUE(json_payload.job_id) AS job_id,
    JSON_VALUE(json_payload.step_key) AS step_key,
    JSON_VALUE(json_payload.rule) AS rule_name,
    JSON_VALUE(json_payload.policy_sha256) AS policy_sha256,
    TIMESTAMP(JSON_VALUE(json_payload.issued_at)) AS usable_from,
    TIMESTAMP(JSON_VALUE(json_payload.token_expires_at)) AS token_expires_at
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE JSON_VALUE(json_payload.event) = 'grant.issued'
),
ended AS (
  SELECT
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    TIMESTAMP(JSON_VALUE(json_payload.dead_at)) AS dead_at
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE JSON_VALUE(json_payload.event) IN ('grant.revoked', 'grant.renewal_ended', 'grant.expired')
),
usable AS (
  SELECT
    issued.grant_id, issued.credential, issued.revocation, issued.organization_slug, issued.pipeline_slug,
    issued.build_number, issued.build_branch, issued.build_commit, issued.job_id, issued.step_key, issued.rule_name,
    issued.policy_sha256, issued.environment, issued.usable_from,
    LEAST(issued.token_expires_at, COALESCE(MIN(ended.dead_at), issued.token_expires_at)) AS usable_until
  FROM issued
  LEFT JOIN ended ON ended.grant_id = issued.grant_id AND ended.dead_at >= issued.usable_from
  GROUP BY
    issued.grant_id, issued.credential, issued.revocation, issued.organization_slug, issued.pipeline_slug,
    issued.build_number, issued.build_branch, issued.build_commit, issued.job_id, issued.step_key, issued.rule_name,
    issued.policy_sha256, issued.environment, issued.usable_from, issued.token_expires_at
),
spans AS (
  SELECT
    grant_id, MIN(usable_from) AS first_issued_at, MAX(usable_until) AS usable_until,
    MAX(usable_until) > CURRENT_TIMESTAMP() AS still_usable
  FROM usable
  GROUP BY grant_id
)
SELECT DISTINCT
  usable.pipeline_slug, usable.build_number, usable.build_branch, usable.build_commit, usable.job_id, usable.step_key,
  usable.credential, usable.revocation, usable.rule_name, usable.policy_sha256, usable.grant_id,
  spans.first_issued_at, spans.usable_until, spans.still_usable
FROM usable
INNER JOIN asked ON usable.environment = asked.environment
INNER JOIN spans ON spans.grant_id = usable.grant_id
WHERE usable.usable_from < asked.day_until AND usable.usable_until > asked.day_from
ORDER BY spans.first_issued_at
